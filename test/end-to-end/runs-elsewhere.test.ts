/** What an agent changed that runs on the host or in CI after a merge is said before it gets there. */
import { expect, it } from 'vitest';
import { type Ground, sceneOn } from './main-path.ts';

const sandbox: Ground = {
  name: 'the sandbox',
  create: ['--runtime', 'sandbox'],
  env: () => ({}),
  isolated: true,
  cleanUp: async () => undefined,
};

it('is marked in diff and show, refused where that is wanted, and said before it is applied or merged', async () => {
  const scene = sceneOn(sandbox, { 'package.json': '{"version":"1","scripts":{"test":"true"}}\n', 'run.sh': 'true\n' });
  const { cli, repository } = scene;
  await scene.create('one');
  const script = `mkdir -p .github/workflows "$(printf '.claude/\\033[8m')"; echo 'on: push' > .github/workflows/ci.yml
    echo x > "$(printf '.claude/\\033[8m/x')"; echo text > notes.txt; chmod +x run.sh
    echo '{"version":"1","scripts":{"test":"true","postinstall":"x"}}' > package.json`;
  expect(await scene.exec('one', script)).toMatchObject({ status: 0 });
  const runs = [
    { path: '.claude/\x1b[8m/x', by: 'coding agents', when: 'when one is started here' },
    { path: '.github/workflows/ci.yml', by: 'GitHub Actions', when: 'in CI' },
    { path: 'package.json', by: 'npm scripts', when: 'when dependencies are installed or a script is run' },
    { path: 'run.sh', by: 'whoever calls it', when: 'it has become executable' },
  ];
  for (const operation of ['diff', 'show']) expect(await cli.json([operation, 'one'])).toMatchObject({ runs });
  const said =
    /runs on the host or in CI after a merge:\n {2}! \.claude\/ ?\[8m\/x.*\n {2}! \.github.*GitHub Actions, in CI\n/;
  expect((await cli.run(['show', 'one'])).stdout).toMatch(said);
  const shown = await cli.run(['diff', 'one']);
  expect(shown.stderr).toMatch(said);
  // A patch, and nothing else: it can be applied.
  expect(shown.stdout).toMatch(/^diff --git /);
  const refs = repository.git('for-each-ref');
  for (const operation of ['apply', 'merge']) {
    const refused = await cli.run([operation, 'one', '--refuse-runs']);
    expect(refused.status).toBe(6);
    expect(refused.stderr).toContain('.github/workflows/ci.yml');
  }
  expect(repository.git('for-each-ref')).toBe(refs);
  expect(repository.git('status', '--porcelain')).toBe('');
  const merged = await cli.run(['--json', 'merge', 'one']);
  expect(merged.stderr).toMatch(said);
  expect(JSON.parse(merged.stdout)).toMatchObject({ kind: 'merge', runs });
  expect(repository.git('status', '--porcelain')).toBe('');
});
