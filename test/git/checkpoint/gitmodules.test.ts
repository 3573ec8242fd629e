import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { refusedModules } from '../../../src/git/checkpoint/gitmodules.ts';
import { makeRepository } from '../../support/repository.ts';

const fine = [
  '[submodule "lib"]\n\tpath = vendor/lib\n\turl = https://example.org/lib.git\n',
  '[submodule "a/b"]\n\tpath = a/b\n\turl = ../b.git\n\tupdate = rebase\n\tbranch = main\n',
  '# only a comment\n',
  '',
];
const bad = [
  '[submodule "x"]\n\tpath = x\n\turl = y\n\tupdate = !touch pwned\n',
  '[submodule "x"]\n\tpath = x\n\turl = y\n\tupdate = "!touch pwned"\n',
  '[submodule "x"] update = !touch pwned\n',
  '[submodule "x"]\n\tpath = x\n\tupdate = \\\n!touch pwned\n',
  '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n',
  '[submodule "x"]\n\tpath = -x\n\turl = y\n',
  '[submodule "../x"]\n\tpath = x\n\turl = y\n',
  '[submodule "a/../../x"]\n\tpath = x\n\turl = y\n',
  '[submodule ""]\n\tpath = x\n\turl = y\n',
  '[submodule "x"]\n\tpath = x\n\turl = "https://example.org/a\\nhost=evil"\n',
];

it.each([...fine.map((content) => [content, true] as const), ...bad.map((content) => [content, false] as const)])(
  'as git fsck: %j %s',
  (content, accepted) => {
    const repository = makeRepository({ files: { '.gitmodules': content === '' ? '\n' : content } });
    const fsck = () => {
      try {
        execFileSync('git', ['fsck', '--strict'], { cwd: repository.path, env: repository.env, stdio: 'pipe' });
        return true;
      } catch (error) {
        if (error instanceof Error) return false;
        throw error;
      }
    };
    expect(fsck()).toBe(accepted);
    expect(refusedModules(Buffer.from(content)) === undefined).toBe(accepted);
  },
);
