/**
 * What merges of two commits came to, kept in the repository's cache directory: it can only change with the rules of
 * merging, so it is found again by the names of the commits. Appended to by any number of processes; safe to delete.
 */
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { MergePair } from '../../git/merging.ts';
import { errnoOf, ifPresent } from '../../platform/errno.ts';
import { keyOf, type Verdict } from './pair.ts';

export interface VerdictCache {
  get(pair: MergePair): Verdict | undefined;
  add(found: readonly { readonly pair: MergePair; readonly verdict: Verdict }[]): Promise<void>;
}

/** Raised when verdicts are told in another way. */
const version = 2;
/** Bytes at which the older half of the file is dropped. */
const largest = 8 * 2 ** 20;

export async function openVerdictCache(commonDirectory: string): Promise<VerdictCache> {
  const folder = join(commonDirectory, 'coppice', 'conflicts');
  const file = join(folder, `${await rulesOf(commonDirectory)}.lines`);
  const text = (await ifPresent(readFile(file, 'utf8'))) ?? '';
  const lines = new Map(text.split('\n').map((line) => [keyIn(line), line]));
  let size = text.length;
  // A line is parsed when it is first asked for: whoever lists one environment's conflicts needs few of them.
  const parsed = new Map<string, Verdict | undefined>();
  return {
    get(pair) {
      const line = lines.get(keyOf(pair));
      if (line === undefined) return undefined;
      if (!parsed.has(line)) parsed.set(line, parse(line));
      return parsed.get(line);
    },
    async add(found) {
      if (found.length === 0) return;
      const fresh = found.map(({ pair, verdict }) => `${keyOf(pair)} ${JSON.stringify(verdict)}`);
      for (const line of fresh) lines.set(keyIn(line), line);
      const added = `${fresh.join('\n')}\n`;
      size += added.length;
      // A cache that cannot be written (a full disk, somebody else's repository) only makes the next look slower.
      if (size > largest) parsed.clear();
      await (size > largest ? rewrite(file, lines) : append(file, added)).catch(onlySystemErrors);
      if (size > largest) size /= 2;
    },
  };
}

/** `<ours> SP <theirs> SP <base> SP <JSON>` */
function keyIn(line: string): string {
  return line.slice(0, line.indexOf(' {'));
}

/** A line that was cut off by a crash says nothing. */
function parse(line: string): Verdict | undefined {
  try {
    return JSON.parse(line.slice(line.indexOf(' {') + 1)) as Verdict;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function append(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  // A leading line end, in case the last write was cut off.
  await appendFile(file, `\n${text}`);
}

/** What another process adds meanwhile is lost, and found anew. */
async function rewrite(file: string, lines: Map<string, string>): Promise<void> {
  const kept = [...lines].slice(Math.floor(lines.size / 2));
  lines.clear();
  for (const [key, line] of kept) lines.set(key, line);
  const draft = `${file}.${process.pid}`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(draft, `${kept.map(([, line]) => line).join('\n')}\n`);
  await rename(draft, file);
  for (const name of await readdir(dirname(file))) {
    if (!file.endsWith(name)) await rm(join(dirname(file), name), { force: true });
  }
}

function onlySystemErrors(error: unknown): void {
  if (errnoOf(error) === undefined) throw error;
}

/** Besides the commits, the repository's own settings for merging and its own attributes decide. */
async function rulesOf(commonDirectory: string): Promise<string> {
  const [config, attributes] = await Promise.all(
    ['config', 'info/attributes'].map((name) => ifPresent(readFile(join(commonDirectory, name), 'latin1'))),
  );
  const sections = (config ?? '').split(/^(?=\s*\[)/m).filter((section) => /^\s*\[(merge|diff|include)/i.test(section));
  const rules = JSON.stringify([version, sections, attributes ?? '']);
  return createHash('sha256').update(rules).digest('hex').slice(0, 16);
}
