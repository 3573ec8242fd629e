/** The README's first command, started the way npx starts it: through a link. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { entry } from '../support/coppice.ts';
import { makeRepository, temporaryDirectory } from '../support/repository.ts';

it('shows three agents, merges them, and leaves nothing behind', () => {
  const outside = temporaryDirectory();
  const { env } = makeRepository();
  const link = join(outside, 'coppice');
  symlinkSync(entry, link);
  const scratch = join(outside, 'tmp');
  mkdirSync(scratch);
  const said = execFileSync(process.execPath, [link, 'demo', '--runtime', 'sandbox'], {
    cwd: outside,
    env: { ...env, TMPDIR: scratch },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const name of ['docs', 'rival', 'tested']) expect(said).toContain(`Merge environment ${name}`);
  expect(said).toMatch(/median of 9/);
  expect(readdirSync(scratch)).toEqual([]);
});
