/** Where a secret is found in all that coppice keeps: data, state and runtime directories, and every object of git. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { formsOf } from '../../src/domain/secret-forms.ts';
import type { TestRepository } from '../support/repository.ts';

/** In any form; a line for each place. `except`: paths that may have it. */
export function findTraces(repository: TestRepository, value: string, except: (path: string) => boolean = () => false) {
  const forms = [Buffer.from(value), ...formsOf(Buffer.from(value)).map(({ bytes }) => bytes)];
  const has = (content: Buffer) => forms.some((form) => content.includes(form));
  const files = [repository.home, join(repository.path, '.git')].flatMap(filesBelow);
  const found = files.filter((file) => !except(file) && has(readFileSync(file)));
  const objects = execFileSync('git', ['cat-file', '--batch-all-objects', '--batch', '--unordered'], {
    cwd: repository.path,
    env: repository.env,
    maxBuffer: 2 ** 28,
  });
  return has(objects) ? [...found, 'objects of the repository'] : found;
}

function filesBelow(directory: string): readonly string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return names.map((name) => join(directory, name)).filter(isFile);
}

/** What goes away meanwhile is gone. */
function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Arguments of every process of the machine. */
export function commandLines(): string {
  const read = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    } catch (error) {
      if (error instanceof Error) return '';
      throw error;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(read)
    .join('\n');
}
