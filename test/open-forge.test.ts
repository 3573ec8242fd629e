/** The forge of a branch, and who one is there, follow from the user's git: remotes, settings, credential helpers. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseOid } from '../src/domain/oid.ts';
import { parseRefName } from '../src/domain/ref-name.ts';
import { hostGit } from '../src/git/host-git.ts';
import { openRepository } from '../src/git/native/open.ts';
import { openForges } from '../src/open-forge.ts';
import { surroundingsOf } from '../src/platform/surroundings.ts';
import { fakeForge } from './forge/fake-forge.ts';
import { makeRepository, type TestRepository } from './support/repository.ts';

const main = parseRefName('refs/heads/main');

async function forgeIn(made: TestRepository, env: Readonly<Record<string, string>> = {}, branch = main) {
  const surroundings = surroundingsOf(made.path, { ...made.env, ...env });
  const repository = await openRepository(surroundings, made.path);
  const forges = openForges(hostGit(repository.commonDirectory, surroundings), repository, surroundings);
  return forges.of(branch, new AbortController().signal);
}

async function nameIn(made: TestRepository): Promise<string | null> {
  const found = await forgeIn(made);
  return 'none' in found ? found.none : `${found.forge.kind} ${found.forge.name} ${found.base}`;
}

it('is that of the upstream, else of the only remote, under the address git itself would use', async () => {
  const made = makeRepository();
  expect(await nameIn(made)).toBeNull();
  made.git('remote', 'add', 'origin', 'hub:ada/project.git');
  made.git('config', '--global', 'url.git@github.com:.insteadOf', 'hub:');
  expect(await nameIn(made)).toBe('github github.com/ada/project main');
  made.git('remote', 'add', 'upstream', 'https://gitlab.com/group/sub/project.git');
  expect(await nameIn(made)).toContain('main has no upstream');
  made.git('config', 'branch.main.remote', 'upstream');
  made.git('config', 'branch.main.merge', 'refs/heads/trunk');
  expect(await nameIn(made)).toBe('gitlab gitlab.com/group/sub/project trunk');
  made.git('config', 'branch.main.remote', 'https://codeberg.org/ada/project.git');
  expect(await nameIn(made)).toBe('gitea codeberg.org/ada/project trunk');
});

it('is what the user’s configuration says of the host, the closest first', async () => {
  const made = makeRepository();
  made.git('remote', 'add', 'origin', 'ssh://git@git.example.org:2222/code/team/project.git');
  expect(await nameIn(made)).toContain('what runs on git.example.org is not known');
  made.git('config', '--global', 'coppice.https://git.example.org.forge', 'gitlab');
  expect(await nameIn(made)).toBe('gitlab git.example.org/code/team/project main');
  made.git('config', 'coppice.forgeUrl', 'https://example.org/code');
  made.git('config', 'coppice.https://git.example.org/code.forge', 'forgejo');
  expect(await nameIn(made)).toBe('gitea example.org/code/team/project main');
});

it('knows the branch by every name it has there', async () => {
  const made = makeRepository();
  const tip = parseOid(made.git('rev-parse', 'HEAD'));
  made.git('remote', 'add', 'origin', 'https://github.com/team/project.git');
  made.git('remote', 'add', 'mine', 'git@github.com:ada/project.git');
  made.git('remote', 'add', 'lab', 'git@gitlab.com:grace/project.git');
  made.git('config', 'branch.main.remote', 'origin');
  made.git('config', 'branch.main.merge', 'refs/heads/main');
  made.git('config', 'branch.coppice/work.remote', 'mine');
  made.git('config', 'branch.coppice/work.merge', 'refs/heads/topic/one');
  made.git('update-ref', 'refs/remotes/mine/topic/two', tip);
  made.git('update-ref', 'refs/remotes/origin/other', made.commit('other'));
  const found = await forgeIn(made);
  if ('none' in found) throw new Error('There is a forge.');
  expect(await found.headsOf(parseRefName('refs/heads/coppice/work'), tip)).toEqual({
    owners: ['ada', 'team'],
    branches: ['coppice/work', 'topic/one', 'topic/two'],
  });
});

it('asks a credential helper as git would, and nobody else', async () => {
  const made = makeRepository();
  const fake = await fakeForge('github');
  made.git('remote', 'add', 'origin', fake.remote);
  made.git('config', `coppice.${fake.url}.forge`, 'github');
  const ask = async (env: Readonly<Record<string, string>> = {}) => {
    const found = await forgeIn(made, env);
    if ('none' in found) throw new Error('There is a forge.');
    await found.forge.findPullRequests({ branches: ['b'], owners: [], commit: parseOid('1'.repeat(40)) });
    return fake.asked.at(-1)?.authorization;
  };
  const asked = join(made.directory, 'asked');
  const askpass = join(made.directory, 'askpass');
  writeFileSync(askpass, `#!/bin/sh\necho "$@" >> '${asked}.person'\necho typed\n`);
  chmodSync(askpass, 0o755);
  made.git('config', 'core.askPass', askpass);
  const windows = { GIT_ASKPASS: askpass, SSH_ASKPASS: askpass, DISPLAY: ':0' };
  expect(await ask(windows)).toBeUndefined();
  made.git(
    'config',
    `credential.${fake.url}.helper`,
    `!tee -a '${asked}' >/dev/null; printf 'username=ada\\npassword=kept-safe\\n'; :`,
  );
  expect(await ask(windows)).toBe('Bearer kept-safe');
  // What git asks first, with the host and no more; nothing is stored or erased afterwards.
  expect(readFileSync(asked, 'utf8')).toBe(`protocol=http\nhost=${new URL(fake.url).host}\n`);
  expect(() => readFileSync(`${asked}.person`)).toThrow('ENOENT');
  // A token for another host is not for this one.
  expect(await ask({ GITHUB_TOKEN: 'public' })).toBe('Bearer kept-safe');
  expect(await ask({ GH_HOST: new URL(fake.url).host, GH_ENTERPRISE_TOKEN: 'own' })).toBe('Bearer own');
});
