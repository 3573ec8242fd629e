/**
 * Everything an agent can plant from inside that has made other tools run its code on the host: then every operation of
 * ours on the host, with the daemon watching. A canary file, which only a process outside can write, shows that none ran.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Ground, sceneOn } from '../end-to-end/main-path.ts';
import { coppiceIn } from '../support/coppice.ts';
import { hangs } from '../support/eventually.ts';
import { makeRepository } from '../support/repository.ts';

const bubblewrap: Ground = {
  name: 'bubblewrap',
  create: ['--runtime', 'sandbox'],
  env: () => ({}),
  isolated: true,
  cleanUp: async () => undefined,
};

const hooks = [
  'pre-commit',
  'prepare-commit-msg',
  'commit-msg',
  'post-commit',
  'pre-merge-commit',
  'post-merge',
  'post-checkout',
  'post-index-change',
  'reference-transaction',
  'pre-receive',
  'update',
  'post-receive',
  'post-update',
  'pre-push',
  'pre-auto-gc',
  'post-rewrite',
  'fsmonitor-watchman',
  'push-to-checkout',
];

/** Settings of git that name a program. */
const settings = [
  'core.fsmonitor',
  'core.sshCommand',
  'core.pager',
  'core.editor',
  'core.askPass',
  'core.gitProxy',
  'diff.external',
  'gpg.program',
  'credential.helper',
  'sequence.editor',
  'uploadpack.packObjectsHook',
  'filter.evil.clean',
  'filter.evil.smudge',
  'filter.evil.process',
  'diff.evil.textconv',
  'diff.evil.command',
  'merge.evil.driver',
  'interactive.diffFilter',
  'alias.status',
  'pager.log',
  'pager.diff',
  'protocol.ext.allow',
];

/** A shell script, run inside, that plants all of it around `$P`, a program that writes the canary. */
function planting(canary: string, repositoryPath: string): string {
  return `
mkdir -p evil && printf '#!/bin/sh\\ntouch ${canary}\\ncat\\n' > evil/program && chmod +x evil/program
P="$PWD/evil/program"; own=$(git rev-parse --git-dir)
plant() {
  for key in ${settings.join(' ')}; do git config -f "$1/config" "$key" "touch ${canary}; $P"; done
  git config -f "$1/config" core.hooksPath "$PWD/evil/hooks"
  git config -f "$1/config" include.path "$PWD/evil/included"
  mkdir -p "$1/hooks" evil/hooks
  for hook in ${hooks.join(' ')}; do cp evil/program "$1/hooks/$hook"; cp evil/program "evil/hooks/$hook"; done
}
printf '[core]\\n\\tfsmonitor = touch ${canary}\\n' > evil/included
printf '* filter=evil diff=evil merge=evil\\n*.txt text eol=lf\\n' > .gitattributes
git init -q nested && echo n > nested/n.txt && git -C nested add . && git -C nested -c user.name=n -c user.email=n@n commit -qm n && plant nested/.git
git init -q --bare bare && plant bare
mkdir -p vendor && git init -q vendor/sub && plant vendor/sub/.git
printf '[submodule "x"]\\n\\tpath = vendor/sub\\n\\turl = ext::sh -c "touch ${canary}"\\n\\tupdate = !touch ${canary}\\n' > .gitmodules
printf '[lfs]\\n\\turl = ext::sh -c "touch ${canary}"\\n' > .lfsconfig
ln -s /etc/passwd outside && ln -s ${repositoryPath} repository && ln -s ../../../../../../../.. up
mkfifo pipe; mkdir -p sub/.git sub/.GIT; echo x > 'sub/.git/config'; echo y > 'sub/git~1'
echo o > '--upload-pack=touch ${'canary'}'; printf c > "$(printf 'ctrl\\033[31m\\007.txt')"
rm -rf .git; mv .git away; ln -sf /tmp .git
echo work > work.txt; git add -f work.txt; git commit -q --no-verify -m 'Agent commits'
git branch harmless; printf '%s\\n' "$(git rev-parse HEAD)" > "$own/refs/heads/--exec=touch" 2>/dev/null
plant "$own"
printf '%s\\n' ${repositoryPath}/.git/objects >> "$own/objects/info/alternates"
echo more >> work.txt
true`;
}

describe('what an agent plants', () => {
  it('is known to bite: the same program runs on the host where git is let near it', () => {
    const repository = makeRepository();
    const canary = join(repository.directory, 'canary');
    const nested = join(repository.path, 'nested');
    mkdirSync(nested);
    repository.gitIn(nested, 'init', '-q');
    repository.gitIn(nested, 'config', 'core.fsmonitor', `touch ${canary}; false`);
    repository.gitIn(nested, 'status');
    expect(existsSync(canary)).toBe(true);
    rmSync(canary);
    repository.git('config', 'filter.evil.clean', `touch ${canary}; cat`);
    writeFileSync(join(repository.path, '.gitattributes'), '* filter=evil\n');
    repository.git('add', '.gitattributes');
    expect(existsSync(canary)).toBe(true);
  });

  it('never runs on the host, whatever is done there', async () => {
    const scene = sceneOn(bubblewrap, { 'a.txt': 'a\n', 'work.txt': 'w\n' });
    const { repository } = scene;
    const canary = join(repository.directory, 'canary');
    const cli = coppiceIn(repository, { settings: { daemon: 'auto' } });
    const first = await cli.json<{ environments: { worktree: string }[] }>(['create', 'one', '--runtime', 'sandbox']);
    const worktree = first.environments[0]?.worktree ?? '';
    const planted = await cli.run(['exec', 'one', '--', 'sh', '-c', planting(canary, repository.path)]);
    expect(planted.status).toBe(0);
    const steps: readonly (readonly string[])[] = [
      ['list'],
      ['show', 'one'],
      ['status', 'one'],
      ['log', 'one', '-p', '--checkpoints'],
      ['diff', 'one'],
      ['diff', 'one', '--stat'],
      ['checkpoint', 'one'],
      ['commit', 'one', '-m', 'All of it', '--no-verify'],
      ['apply', 'one'],
      ['stop', 'one'],
      ['start', 'one'],
      ['doctor'],
      ['daemon', 'status'],
      ['remove', '-f', 'one'],
      ['restore', 'one'],
      ['exec', 'one', '--', 'true'],
      ['remove', '-f', 'one'],
    ];
    const said: string[] = [];
    for (const step of steps) {
      const done = await cli.run(step);
      said.push(`${step.join(' ')}: ${done.status}`);
      expect({ step, bug: done.status === 70 ? done.stderr : '' }).toEqual({ step, bug: '' });
      expect({ step, ran: existsSync(canary) }).toEqual({ step, ran: false });
      expect(done.stdout + done.stderr).not.toMatch(/\x1b\[31m\x07/);
    }
    // The daemon has looked at it too.
    await vi.waitFor(() => expect(existsSync(worktree)).toBe(false), { timeout: hangs });
    await cli.run(['daemon', 'stop']);
    expect(existsSync(canary)).toBe(false);
    expect(said).toContain('checkpoint one: 0');
    repository.git('fsck', '--strict', '--no-dangling');
  });

  it('takes nothing out of the host: links stay links, the alternates of the agent are nobody’s business', async () => {
    const scene = sceneOn(bubblewrap, { 'a.txt': 'a\n' });
    const { repository } = scene;
    const secret = join(repository.directory, 'secret-repository');
    mkdirSync(secret);
    repository.gitIn(secret, 'init', '-q', '-b', 'main');
    writeFileSync(join(secret, 'top.txt'), 'topsecret\n');
    repository.gitIn(secret, 'add', '.');
    repository.gitIn(secret, 'commit', '-q', '-m', 'secret');
    const hidden = repository.gitIn(secret, 'rev-parse', 'HEAD');
    await scene.create('one');
    await scene.exec(
      'one',
      `ln -s ${secret}/top.txt stolen; ln -s ${secret} dir; own=$(git rev-parse --git-dir)
       printf '%s\\n' ${secret}/.git/objects >> "$own/objects/info/alternates"
       printf '%s\\n' ${hidden} > "$own/refs/heads/stolen"; echo x > x.txt; git add x.txt; git commit -qm x`,
    );
    expect(repository.git('ls-tree', 'coppice/one', 'stolen')).toMatch(/^120000 /);
    expect(repository.git('ls-tree', 'coppice/one', 'dir')).toMatch(/^120000 /);
    const has = (oid: string) => {
      try {
        execFileSync('git', ['cat-file', '-e', oid], { cwd: repository.path, env: repository.env, stdio: 'ignore' });
        return true;
      } catch (error) {
        if (error instanceof Error) return false;
        throw error;
      }
    };
    expect(has(hidden)).toBe(false);
    expect(has(repository.gitIn(secret, 'rev-parse', 'HEAD:top.txt'))).toBe(false);
    expect(has(repository.git('rev-parse', 'coppice/one'))).toBe(true);
  });
});
