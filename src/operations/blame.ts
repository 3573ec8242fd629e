/** `blame`: from a line to the commit, the checkpoint and the command that wrote it. */
import { relative } from 'node:path';
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { visible } from '../domain/terminal-text.ts';
import { blameFile, type WrittenLine } from '../environment/blame.ts';
import type { Environment } from '../environment/environment.ts';
import { findEnvironment } from '../environment/find.ts';
import { reconcile } from '../environment/reconcile.ts';
import type { Workplace } from '../environment/workplace.ts';
import type { LineRange } from '../git/repository.ts';
import { flag, nameArgument, operation, type Style } from './operation.ts';
import { age, columns, safe, short } from './views.ts';

export const blame = operation({
  name: 'blame',
  summary: 'Show who wrote each line of a file: the commit, the checkpoint and what caused it',
  details: 'Lines of a commit are traced into the checkpoints that it took over, where these had the same file.',
  effect: 'read',
  tool: {
    title: 'Who wrote each line',
    idempotent: true,
    openWorld: false,
    bindable: true,
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    path: flag(z.string().check(z.minLength(1)), {
      help: 'The file, from the top of the worktree.',
      place: 'argument',
      value: 'PATH',
    }),
    line: flag(z._default(z.array(z.string()), []), {
      help: 'Only this line, or lines FROM-TO; repeatable.',
      short: '-L',
      value: 'N',
    }),
  }),
  async run(context, { name, path, line }) {
    const ranges = line.map(parseRange);
    const workplace = await context.workplace();
    const { environment } = await reconcile(workplace, await findEnvironment(workplace, name));
    const file = insideTree(workplace, environment, path);
    const last = await lastLine(workplace, environment, file);
    const written = last === 0 ? [] : await blameFile(workplace, environment, file, ranges.map(endingAt(file, last)));
    return {
      name: environment.name as string,
      path: file,
      commit: environment.at.tip as string,
      lines: written.map(lineView),
    };
  },
  render: ({ lines }, style) => columns(lines.map((line) => rowOf(line, style))),
});

function lineView({ line, text, writer }: WrittenLine) {
  const { kind, info, commit, cause, execs } = writer;
  return {
    line,
    text,
    kind: kind as string,
    oid: info.oid as string,
    subject: info.message.split('\n')[0] ?? '',
    author: { name: info.author.name, email: info.author.email },
    date: new Date(info.author.seconds * 1000).toISOString(),
    /** What took a folded checkpoint over. */
    commit: (commit?.oid ?? null) as string | null,
    cause: cause ?? null,
    execs,
  };
}

function rowOf(line: ReturnType<typeof lineView>, style: Style): readonly string[] {
  const oid = line.kind === 'commit' ? style.yellow(short(line.oid)) : style.dim(short(line.oid));
  const why = line.cause === null ? safe(line.author.name, 24) : style.cyan(safe(line.cause, 36));
  return [oid, why, age(new Date(line.date), style.now), `${line.line}`, visible(line.text.replace(/\r$/, ''))];
}

/** `12`, `10-20`, `10,20` or `10-`. */
function parseRange(text: string): LineRange {
  const match = /^(\d{1,9})(?:([-,])(\d{1,9})?)?$/.exec(text);
  const from = Number(match?.[1]);
  const to = match?.[2] === undefined ? from : match[3] === undefined ? Number.MAX_SAFE_INTEGER : Number(match[3]);
  if (match !== null && from >= 1 && to >= from) return { from, to };
  throw new CoppiceError('usage', 'bad-lines', `${JSON.stringify(text)} names no lines.`, {
    hint: 'Write --line 12 or --line 10-20.',
  });
}

/** A range may reach beyond the end, but not begin there. */
function endingAt(path: string, last: number): (range: LineRange) => LineRange {
  return ({ from, to }) => {
    if (from <= last) return { from, to: Math.min(to, last) };
    throw new CoppiceError('not-found', 'no-such-line', `${path} has ${last} lines, and none has the number ${from}.`, {
      hint: `Give a line up to ${last}.`,
      data: { path, lines: last },
    });
  };
}

/** A person who stands in the worktree names files from there. */
function insideTree({ surroundings }: Workplace, { directories }: Environment, path: string): string {
  const here = surroundings.cwd;
  const top = here === directories.tree || here.startsWith(`${directories.tree}/`) ? here : directories.tree;
  const full = path.startsWith('/') ? path : `${top}/${path}`;
  return relative(directories.tree, full);
}

async function lastLine({ repository }: Workplace, { name, at }: Environment, path: string): Promise<number> {
  const outside = path === '' || path === '..' || path.startsWith('../');
  const content = outside ? undefined : await repository.readBlobAt(at.tip, path);
  if (content === undefined) {
    throw new CoppiceError('not-found', 'file-not-found', `There is no file ${JSON.stringify(path)} in ${name}.`, {
      hint: `\`coppice diff ${name} --stat\` lists what it changed; ignored and held files are on no branch.`,
      data: { name, path },
    });
  }
  if (content.length === 0) return 0;
  let lines = content.at(-1) === 0x0a ? 0 : 1;
  for (let at = content.indexOf(0x0a); at >= 0; at = content.indexOf(0x0a, at + 1)) lines += 1;
  return lines;
}
