/** Chooses hunks of an environment's change: by a patch file, or one by one at a terminal, as `git add -p` asks. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { text as readAll } from 'node:stream/consumers';
import { type BytePath, textOf } from '../domain/byte-path.ts';
import { CoppiceError } from '../domain/error.ts';
import { visible } from '../domain/terminal-text.ts';
import type { Choice } from '../environment/merge/part.ts';
import type { FileOffer } from '../environment/merge/part-offers.ts';
import { errnoOf } from '../platform/errno.ts';
import { applyHunks, type Hunk, hunksOf, type PatchedFile, parsePatchFile, splitHunk } from './hunks.ts';
import type { Context } from './operation.ts';
import { safe } from './views.ts';

type Choose = (offers: readonly FileOffer[]) => Promise<readonly Choice[]>;

/** What the patch in `file` has; `-` is stdin. Throws `bad-patch`, `hunk-not-there`. */
export async function choiceFromFile(context: Context, file: string): Promise<Choose> {
  const patched = parse(file, await read(context, file));
  return async (offers) => {
    const of = new Map<FileOffer, PatchedFile[]>();
    for (const each of patched) {
      const offer = offers.find((candidate) => speaksOf(each, candidate));
      if (offer === undefined) throw notThere(nameOf(each));
      of.set(offer, [...(of.get(offer) ?? []), each]);
    }
    return offers.map((offer) => {
      const files = of.get(offer);
      return files === undefined
        ? 'none'
        : choiceOf(
            offer,
            files.flatMap(({ hunks }) => hunks),
          );
    });
  };
}

async function read({ surroundings, streams }: Context, file: string): Promise<string> {
  if (file === '-' && streams !== undefined) return Buffer.from(await readAll(streams.stdin)).toString('latin1');
  try {
    return await readFile(resolve(surroundings.cwd, file), 'latin1');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw new CoppiceError('not-found', 'no-patch', `${file} cannot be read: ${errnoOf(error)}.`, {
      hint: 'Make one with `coppice diff NAME > work.patch` and take out what you do not want.',
    });
  }
}

function parse(file: string, content: string): readonly PatchedFile[] {
  try {
    const files = parsePatchFile(content);
    if (files.length > 0) return files;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw badPatch(`${file} is no patch: ${safe(error.message)}.`);
  }
  throw badPatch(`${file} has no file's change in it.`);
}

function badPatch(sentence: string): CoppiceError {
  return new CoppiceError('usage', 'bad-patch', sentence, {
    hint: 'Make one with `coppice diff NAME > work.patch` and take out whole hunks; leave headers and lines as they are.',
  });
}

function speaksOf({ from, to }: PatchedFile, { path, from: before }: FileOffer): boolean {
  const meets = (names: readonly BytePath[], one: BytePath) => names.includes(one);
  return to.length > 0 ? meets(to, path) : meets(from, before ?? path);
}

function nameOf({ from, to }: PatchedFile): string {
  const [name] = to.length > 0 ? to : from;
  return name === undefined ? 'a file without a name' : textOf(name);
}

function notThere(path: string): CoppiceError {
  return new CoppiceError('usage', 'hunk-not-there', `The environment does not change ${path} like that.`, {
    hint: 'The patch must be a part of what `coppice diff NAME` prints now.',
  });
}

/** A file without hunks (binary, mode, plain rename) is taken whole. */
function choiceOf(offer: FileOffer, hunks: readonly Hunk[]): Choice {
  if (hunks.length === 0 || offer.text === undefined) return 'all';
  const content = applyHunks(offer.text.before, hunks);
  if (content === undefined) throw notThere(textOf(offer.path));
  return content === offer.text.after ? 'all' : { content: Buffer.from(content, 'latin1') };
}

const help = `y - merge this hunk
n - leave it on the environment
a - merge it and all later hunks of the file
d - leave it and all later hunks of the file
s - split it into smaller ones
q - leave it and everything after it
? - show this`;

/** Asks at the caller's terminal. Throws `no-terminal` where there is none. */
export function choiceAtTerminal({ streams, signal }: Context): Choose {
  if (streams?.terminal === undefined) {
    throw new CoppiceError('usage', 'no-terminal', '--patch asks at a terminal, and there is none.', {
      hint: 'Give the hunks with --hunks FILE.',
    });
  }
  const { stdin, stderr } = streams;
  return async (offers) => {
    const asked = createInterface({ input: stdin, output: stderr, terminal: true });
    // Ctrl-C and Ctrl-D at the question end it, and nothing is merged.
    const ended = new AbortController();
    asked.on('SIGINT', () => ended.abort()).on('close', () => ended.abort());
    const ask = (question: string) => asked.question(question, { signal: AbortSignal.any([ended.signal, signal]) });
    try {
      return await askFor(offers, ask, (text) => void stderr.write(text));
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
      throw new CoppiceError('interrupted', 'interrupted', 'Interrupted; nothing was merged.');
    } finally {
      asked.close();
    }
  };
}

async function askFor(
  offers: readonly FileOffer[],
  ask: (question: string) => Promise<string>,
  write: (text: string) => void,
): Promise<readonly Choice[]> {
  const choices: Choice[] = [];
  let over = false;
  for (const offer of offers) {
    if (over) {
      choices.push('none');
      continue;
    }
    write(`${titleOf(offer)}\n`);
    const asked = await askForFile(offer, ask, write);
    over = asked.over;
    choices.push(asked.choice);
  }
  return choices;
}

async function askForFile(
  offer: FileOffer,
  ask: (question: string) => Promise<string>,
  write: (text: string) => void,
): Promise<{ readonly choice: Choice; readonly over: boolean }> {
  const waiting = offer.text === undefined ? [] : [...hunksOf(offer.text.before, offer.text.after)];
  if (waiting.length === 0) return askForWhole(ask, write);
  const chosen: Hunk[] = [];
  const finish = (over: boolean) => ({
    choice: chosen.length === 0 ? ('none' as const) : choiceOf(offer, chosen),
    over,
  });
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    write(`${render(next)}\n`);
    switch (await answerTo(ask, 'Merge this hunk [y,n,q,a,d,s,?]? ')) {
      case 'y':
        chosen.push(next);
        break;
      case 'n':
        break;
      case 'a':
        chosen.push(next, ...waiting);
        return finish(false);
      case 'd':
        return finish(false);
      case 'q':
        return finish(true);
      case 's':
        waiting.unshift(...splitHunk(next));
        break;
      default:
        write(`${help}\n`);
        waiting.unshift(next);
    }
  }
  return finish(false);
}

async function askForWhole(
  ask: (question: string) => Promise<string>,
  write: (text: string) => void,
): Promise<{ readonly choice: Choice; readonly over: boolean }> {
  for (;;) {
    const answer = await answerTo(ask, 'Merge this file [y,n,q,?]? ');
    if (answer === 'y' || answer === 'a') return { choice: 'all', over: false };
    if (answer === 'n' || answer === 'd' || answer === 'q') return { choice: 'none', over: answer === 'q' };
    write(`${help}\n`);
  }
}

async function answerTo(ask: (question: string) => Promise<string>, question: string): Promise<string> {
  return (await ask(question)).trim().toLowerCase();
}

function titleOf({ path, from, before, after }: FileOffer): string {
  const name = safe(textOf(path));
  if (from !== undefined) return `${safe(textOf(from))} → ${name}`;
  if (before === undefined) return `${name} (new)`;
  if (after === undefined) return `${name} (deleted)`;
  return before.mode === after.mode ? name : `${name} (${before.mode} → ${after.mode})`;
}

function render({ oldStart, oldLines, newStart, newLines, lines }: Hunk): string {
  const shown = lines.map((line) => visible(Buffer.from(line, 'latin1').toString('utf8')));
  return [`@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`, ...shown].join('\n');
}
