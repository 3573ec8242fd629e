/**
 * Every vector is known to bite: planted in a repository that a tool on the host shares with its agent, it gets its code
 * run there, or something of the outside read or written.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeRepository } from '../support/repository.ts';
import { preparation, type Vector, vectors } from './vectors.ts';

/** A repository of two commits with the vector planted in it, and the naive tool at work. */
function bitten({ plant, host }: Vector): boolean {
  const repository = makeRepository({ files: { 'a.txt': 'one\n' } });
  repository.commit('second', { 'a.txt': 'two\n' });
  const outside = join(repository.directory, 'outside');
  const secrets = join(repository.directory, 'secrets');
  for (const directory of [outside, secrets]) mkdirSync(directory);
  writeFileSync(join(outside, 'secret'), 'topsecret\n');
  repository.gitIn(secrets, 'init', '-q', '-b', 'main');
  repository.gitIn(secrets, 'commit', '-q', '--allow-empty', '-m', 'topsecret');
  const env = {
    ...repository.env,
    T: repository.path,
    G: join(repository.path, '.git'),
    X: join(repository.path, 'evil/program'),
    CANARY: join(repository.directory, 'canary'),
    OUTSIDE: outside,
    SECRETS: secrets,
    HIDDEN: repository.gitIn(secrets, 'rev-parse', 'HEAD'),
  };
  const shell = (script: string) =>
    execFileSync('sh', ['-c', `${script}\ntrue`], {
      cwd: repository.path,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
  shell(preparation);
  shell(plant);
  expect(existsSync(env.CANARY)).toBe(false);
  shell(host);
  return existsSync(env.CANARY);
}

describe.each(Object.entries(vectors))('%s', (_, group) => {
  it.each(group.map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
    expect(bitten(vector)).toBe(true);
  });
});
