/** Whoever looks at an environment in a terminal gets text there, whatever the agent wrote, named or committed. */
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { type Ground, sceneOn } from '../end-to-end/main-path.ts';
import { entry } from '../support/coppice.ts';
import { sequences } from './vectors.ts';

const sandbox: Ground = {
  name: 'the sandbox',
  create: ['--runtime', 'sandbox'],
  env: () => ({}),
  isolated: true,
  cleanUp: async () => undefined,
};

/** Colours of ours, line ends as a terminal has them, and text. */
const harmless = /^(?:\x1b\[(?:[12]|22|3[1236]|39)m|\r\n|[^\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e])*$/;

/** What prints most; of the others colours alone, to save processes. */
const plainToo = new Set(['log', 'diff']);

it('nothing an agent chose reaches a terminal as it is, with and without colours', async () => {
  const scene = sceneOn(sandbox, { 'a.txt': 'one\n' });
  const { repository, cli } = scene;
  await scene.create('one', '--title', 'Title \x1b[31m\x9b2J');
  const planted = await scene.exec(
    'one',
    `printf '${sequences} text\\n' > a.txt; printf '${sequences}' > "$(printf 'name-${sequences}')"
     git -c user.name="$(printf 'Eve \\033[2J')" commit -qam "$(printf 'Subject ${sequences}')"
     printf 'more ${sequences}\\n' >> a.txt; head -c 11000000 /dev/zero > "$(printf 'held-\\033[2J')"`,
  );
  expect(planted.status).toBe(0);
  expect(planted.stderr).toMatch(/^[^\x1b\x9b]*$/);
  const commands = [
    ['list'],
    ['show', 'one'],
    ['status', 'one'],
    ['log', 'one', '-p', '--checkpoints'],
    ['diff', 'one'],
    ['diff', 'one', '--stat'],
    ['blame', 'one', 'a.txt'],
    ['conflicts'],
    ['checkpoint', 'one'],
    ['commit', 'one', '-m', 'Mine', '--no-verify'],
    ['blame', 'one', 'no-\x1b[2Jsuch'],
    ['exec', 'one', '--', 'no-\x1b[2Jsuch'],
    ['apply', 'one'],
    ['--json', 'log', 'one', '-p', '--checkpoints'],
    ['--json', 'show', 'one'],
  ];
  for (const command of commands) {
    const colours = plainToo.has(command[0] ?? '') ? [{ FORCE_COLOR: '1' }, { NO_COLOR: '1' }] : [{ FORCE_COLOR: '1' }];
    for (const colour of colours) {
      const words = [process.execPath, entry, ...command].map((word) => `'${word}'`).join(' ');
      // script(1) makes a terminal; its output is what that terminal would obey.
      const said = execFileSync('script', ['--quiet', '--command', words, '/dev/null'], {
        cwd: repository.path,
        env: { ...cli.env, ...colour, SHELL: '/bin/sh', TERM: 'xterm' },
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      expect({ command, harmless: harmless.test(said), said: harmless.test(said) ? '' : said }).toEqual({
        command,
        harmless: true,
        said: '',
      });
      if ('NO_COLOR' in colour) expect(said).not.toContain('\x1b');
    }
  }
  // A command's own output is its own business, and a patch in a pipe is exact.
  expect((await scene.exec('one', "printf '\\033[31m'")).stdout).toBe('\x1b[31m');
  expect((await cli.run(['diff', 'one'])).stdout).toContain('\x1b[31m');
}, 120_000);
