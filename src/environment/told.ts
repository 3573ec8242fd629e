/** What a person has been told of an environment already, so that it is said once and counted afterwards. Safe to delete. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../platform/errno.ts';
import type { Environment } from './environment.ts';
import { cacheDirectory } from './running-execs.ts';
import type { Workplace } from './workplace.ts';

/** Those of `facts` that were not told the last time; now they are, and what is no more is forgotten. */
export async function takeUntold(
  workplace: Workplace,
  { name }: Environment,
  facts: readonly string[],
): Promise<ReadonlySet<string>> {
  const file = join(cacheDirectory(workplace.repository.commonDirectory, name), 'told.json');
  const told = new Set(await read(file));
  const fresh = facts.filter((fact) => !told.has(fact));
  if (fresh.length > 0 || told.size !== facts.length) await write(file, facts);
  return new Set(fresh);
}

async function read(file: string): Promise<readonly string[]> {
  try {
    const told: unknown = JSON.parse(await readFile(file, 'utf8'));
    return Array.isArray(told) ? told.filter((each) => typeof each === 'string') : [];
  } catch (error) {
    if (errnoOf(error) === undefined && !(error instanceof SyntaxError)) throw error;
    return [];
  }
}

/** On a full disk it is told once more. */
async function write(file: string, facts: readonly string[]): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(facts));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
