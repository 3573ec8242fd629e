/** Whatever a repository's configuration, hooks or attributes ask for, and whatever the caller's GIT_* say: git here does not do it. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostGit } from '../../src/git/host-git.ts';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import { makeRepository, type TestRepository, writeFiles } from '../support/repository.ts';

const gitOf = (made: TestRepository, env: Record<string, string> = {}) =>
  hostGit(join(made.path, '.git'), surroundingsOf(made.path, { ...made.env, ...env }));

test("the caller's GIT_* do not reach git", async () => {
  const made = makeRepository();
  const other = makeRepository({ files: { other: 'other\n' } });
  const leaked = {
    GIT_DIR: join(other.path, '.git'),
    GIT_WORK_TREE: other.path,
    GIT_INDEX_FILE: join(other.path, '.git/index'),
    GIT_OBJECT_DIRECTORY: join(other.path, '.git/objects'),
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'core.bare',
    GIT_CONFIG_VALUE_0: 'true',
    GIT_AUTHOR_NAME: 'Leaked',
  };
  const git = gitOf(made, leaked);
  made.git('config', 'alias.show-env', '!env');
  const ours = await git.text(['show-env']);
  expect(ours).not.toContain(other.path);
  expect(ours).not.toContain('Leaked');
  expect(await git.text(['rev-parse', 'HEAD'])).toBe(made.git('rev-parse', 'HEAD'));
  const { stdout } = await git.runAsUser(made.path, ['show-env']);
  const users = stdout.toString();
  expect(users).not.toContain(other.path);
  expect(users).not.toContain('Leaked');
  expect(users).toContain(`HOME=${made.home}`);
  expect((await git.runAsUser(made.path, ['rev-parse', '--show-toplevel'])).stdout.toString().trim()).toBe(made.path);
});

/** Arms everything a repository can make git run. Each leaves its name in the directory it returns. */
function arm(made: TestRepository): string {
  const ran = join(made.directory, 'ran');
  const trap = (name: string) => `mkdir -p '${ran}'; touch '${ran}/${name.replaceAll('=', '_')}'; cat`;
  for (const hook of ['reference-transaction', 'post-index-change', 'pre-auto-gc', 'post-checkout', 'pre-commit']) {
    writeFiles(join(made.path, '.git/hooks'), { [hook]: { executable: `#!/bin/sh\n${trap(hook)} >/dev/null\n` } });
  }
  for (const key of [
    'filter.evil.clean',
    'filter.evil.smudge',
    'filter.e=q.clean',
    'merge.evil.driver',
    'diff.evil.textconv',
    'diff.evil.command',
    'diff.external',
    'core.fsmonitor',
    'core.pager',
    'core.editor',
    'core.sshCommand',
    'gpg.program',
  ]) {
    made.git('config', key, trap(key));
  }
  made.git('config', 'filter.evil.required', 'true');
  made.git('config', 'commit.gpgSign', 'true');
  writeFileSync(join(made.path, '.git/info/attributes'), '* filter=evil diff=evil merge=evil\n*.q filter=e=q\n');
  return ran;
}

test('nothing that a repository arms goes off', async () => {
  const made = makeRepository({ files: { f: 'one\ntwo\nthree\n', 'x.q': 'q\n' } });
  const first = made.git('rev-parse', 'HEAD');
  made.git('switch', '-q', '-c', 'side');
  made.commit('side', { f: 'ONE\ntwo\nthree\n' });
  made.git('switch', '-q', 'main');
  made.commit('main', { f: 'one\ntwo\nTHREE\n' });
  const ran = arm(made);
  const git = gitOf(made);
  const env = { GIT_INDEX_FILE: join(made.directory, 'index') };
  const person = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a' };
  const tree = await git.text(['rev-parse', 'HEAD^{tree}']);
  const commit = await git.text(['commit-tree', tree, '-p', first], { env: person, input: 'm' });
  await git.run(['update-ref', '-m', 'x', 'refs/heads/new', commit]);
  await git.run(['merge-tree', '--write-tree', 'main', 'side'], { cwd: made.directory, workTree: made.directory });
  // An external diff has no harmless stand-in: where somebody insists on one, git fails.
  await git.run(['diff', '-p', '--ext-diff', '--textconv', first, 'main'], { allow: [0, 128] });
  await git.run(['diff', '-p', '--no-ext-diff', '--textconv', first, 'main']);
  await git.run(['log', '-p', '--all']);
  await git.run(['read-tree', 'HEAD'], { env });
  for (const path of ['f', 'x.q']) await git.run(['hash-object', '--path', path, '--stdin'], { input: 'text' });
  const out = join(made.directory, 'out');
  await git.run(['checkout-index', '-a', `--prefix=${out}/`], { env, workTree: made.directory });
  await git.run(['status', '--porcelain'], { workTree: made.path });
  await git.run(['gc', '--auto']);
  expect(readdirSync(out).sort()).toEqual(['f', 'x.q']);
  expect(existsSync(ran) ? readdirSync(ran) : []).toEqual([]);
});

test('what is armed later is disarmed as well', async () => {
  const made = makeRepository({ files: { f: 'f\n' } });
  const git = gitOf(made);
  const clean = () => git.text(['hash-object', '--path', 'f', '--stdin'], { input: 'f\n' });
  const before = await clean();
  const ran = arm(made);
  expect(await clean()).toBe(before);
  expect(existsSync(ran)).toBe(false);
});

test('no checkout is in reach unless it is named', async () => {
  const made = makeRepository();
  const git = gitOf(made);
  expect((await git.run(['rev-parse', '--is-inside-work-tree'])).stdout.toString().trim()).toBe('false');
  await expect(git.run(['status'])).rejects.toMatchObject({ code: 'git-failed' });
  expect(await git.text(['rev-parse', '--show-toplevel'], { workTree: made.path, cwd: made.path })).toBe(made.path);
});

test('a failure has the status and what git said; statuses that are answers are none', async () => {
  const git = gitOf(makeRepository());
  await expect(git.run(['cat-file', 'blob', 'nothing'])).rejects.toMatchObject({
    kind: 'failed',
    code: 'git-failed',
    data: { status: 128, arguments: ['cat-file', 'blob', 'nothing'], stderr: expect.stringContaining('nothing') },
  });
  expect((await git.run(['rev-parse', '-q', '--verify', 'nothing'], { allow: [0, 1] })).status).toBe(1);
});
