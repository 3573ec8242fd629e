/** A repository of a user's with an environment in which all vectors can be planted, and what is outside and must stay. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Cli, coppiceIn } from '../support/coppice.ts';
import { fingerprintOf } from '../support/fingerprint.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';
import { preparation, type Vector, vectors } from './vectors.ts';

/** What makes git inside wait for ever is met in a test of the transport, whose patience is shorter there. */
export const all = Object.values(vectors)
  .flat()
  .filter(({ hangsGit }) => hangsGit !== true);

export interface Scene {
  readonly repository: TestRepository;
  readonly cli: Cli;
  readonly canary: string;
  /** Object name of a commit of another repository of the user's. */
  readonly hidden: string;
  create(name: string): Promise<string>;
  plant(name: string, chosen: readonly Vector[]): Promise<void>;
  /** What must be as it was. */
  outside(): Record<string, string>;
}

export interface SceneOptions {
  /** Options of `create` that choose where. */
  readonly create: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export function makeScene({ create, env = {} }: SceneOptions = { create: ['--runtime', 'sandbox'] }): Scene {
  const repository = makeRepository({ files: { 'a.txt': 'one\n', 'work.txt': 'w\n' } });
  repository.commit('second', { 'a.txt': 'two\n' });
  const { directory, gitIn } = repository;
  const [outside, secrets, canary] = ['outside', 'secrets', 'canary'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const each of [outside, secrets]) mkdirSync(each);
  writeFileSync(join(outside, 'secret'), 'topsecret\n');
  gitIn(secrets, 'init', '-q', '-b', 'main');
  gitIn(secrets, 'commit', '-q', '--allow-empty', '-m', 'topsecret');
  const hidden = gitIn(secrets, 'rev-parse', 'HEAD');
  const cli = coppiceIn(repository, { settings: { daemon: 'auto' }, env });
  onTestFinished(async () => {
    const { environments } = await cli.json<{ environments: { name: string }[] }>(['list']);
    for (const { name } of environments) await cli.run(['remove', '--force', name]);
    await cli.run(['daemon', 'stop']);
  });
  return {
    repository,
    cli,
    canary,
    hidden,
    outside: () => ({
      ...fingerprintOf(outside),
      ...fingerprintOf(secrets),
      ...fingerprintOf(repository.home, (path) => /^\.(local|run|config\/coppice)/.test(path)),
    }),
    async create(name) {
      const made = await cli.json<{ environments: { worktree: string }[] }>(['create', name, ...create]);
      return made.environments[0]?.worktree ?? '';
    },
    async plant(name, chosen) {
      const facts = { CANARY: canary, OUTSIDE: outside, SECRETS: secrets, HIDDEN: hidden };
      const variables = Object.entries(facts).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
      const script = [
        'T=$PWD; G=$(git rev-parse --absolute-git-dir); X=$T/evil/program; export T G X',
        preparation,
        'git add -f work.txt; echo worked >> work.txt; git commit -q --no-verify -am "Agent commits"; echo more >> work.txt',
        // One that fails inside, because it is not let, has failed at once.
        ...chosen.map(({ plant }) => `(\n${plant}\n) 2>/dev/null`),
        'true',
      ].join('\n');
      // Over stdin: its text is too long for some command lines, and nobody should find it in a record.
      const planted = await cli.run(['exec', name, ...variables, '--', 'sh', '-s'], { input: script });
      expect({ status: planted.status, stderr: planted.stderr }).toMatchObject({ status: 0 });
    },
  };
}

/** Nothing but text, line ends and tabs. */
export const plain = /^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$/;
