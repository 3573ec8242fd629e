import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseEnvironmentFile } from '../../src/config/environment-file.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { CoppiceError } from '../../src/domain/error.ts';
import { temporaryDirectory } from '../support/repository.ts';

function configDirectory(content?: string): string {
  const directory = temporaryDirectory();
  if (content !== undefined) writeFileSync(join(directory, 'config.json'), content);
  return directory;
}

async function complaint(content: string): Promise<CoppiceError> {
  const error: unknown = await loadSettings(configDirectory(content)).catch((reason: unknown) => reason);
  if (error instanceof CoppiceError) return error;
  throw new Error(`expected a CoppiceError, got ${String(error)}`);
}

function fileComplaint(content: string): CoppiceError {
  try {
    parseEnvironmentFile(Buffer.from(content));
  } catch (error) {
    if (error instanceof CoppiceError) return error;
    throw error;
  }
  throw new Error('expected an error');
}

describe('the user’s settings', () => {
  test('no file, and no directory, are no settings', async () => {
    expect(await loadSettings(configDirectory())).toEqual({});
    expect(await loadSettings(join(configDirectory(), 'not', 'there'))).toEqual({});
  });

  test('everything that may be in it is read', async () => {
    const settings = {
      image: 'example.org/tools:1',
      runtime: 'sandbox',
      limits: { memory: 1024, cpus: 1.5, pids: 10 },
      network: 'none',
      secrets: { TOKEN: 'env:TOKEN' },
      mounts: [{ source: '~/data', target: '/data' }],
      daemon: 'off',
      branchPrefix: 'agents/',
      hold: {
        fileBytes: 1,
        checkpointBytes: 2,
        checkpointFiles: 3,
        lfsBytes: 4,
        secrets: 'off',
        allow: ['test/keys/'],
      },
    };
    expect(await loadSettings(configDirectory(`\uFEFF${JSON.stringify(settings)}`))).toEqual(settings);
  });

  test('a typo names file and key, and the key that was meant', async () => {
    const error = await complaint('{"limits": {"memroy": 5}}');
    expect(error).toMatchObject({ kind: 'usage', code: 'bad-settings', hint: 'Did you mean memory?' });
    expect(error.message).toMatch(/config\.json: limits\.memroy is not a key coppice knows\.$/);
  });

  test('a key like no other gets the list of keys', async () => {
    expect((await complaint('{"hold": {"x": 1}}')).hint).toBe(
      'Known here are fileBytes, checkpointBytes, checkpointFiles, lfsBytes, secrets, allow.',
    );
  });

  test.each([
    ['{"runtime": "podman"}', 'runtime must be one of "docker", "sandbox".'],
    ['{"limits": {"memory": "2G"}}', 'limits.memory must be a number.'],
    ['{"limits": {"pids": 1.5}}', 'limits.pids must be a whole number.'],
    ['{"limits": {"cpus": 0}}', 'limits.cpus must be more than 0.'],
    ['{"image": ""}', 'image must not be empty.'],
    ['{"secrets": {"A-B": "env:X"}}', 'secrets.A-B is no name for a secret: letters, digits and _ only.'],
    // The value itself by mistake: it is not repeated.
    [
      '{"secrets": {"A": "hunter2"}}',
      'secrets.A must be env:NAME, file:PATH, op://VAULT/ITEM/FIELD, vault:PATH#FIELD or command:COMMAND.',
    ],
    [
      '{"mounts": [{"source": "a", "target": "/proc/x"}]}',
      'mounts.0.target must be an absolute path outside /workspace, /coppice, /proc, /sys and /dev.',
    ],
    ['{"hold": {"secrets": false}}', 'hold.secrets must be one of "on", "off".'],
    ['{"hold": {"allow": "test/"}}', 'hold.allow must be a list in brackets.'],
    [
      '{"branchPrefix": "agents"}',
      'branchPrefix must end in / and begin a branch name git accepts, such as "agents/".',
    ],
    ['{"branchPrefix": "a..b/"}', 'branchPrefix must end in / and begin a branch name git accepts, such as "agents/".'],
    ['[]', 'must be an object in braces.'],
  ])('%s is refused', async (content, sentence) => {
    expect((await complaint(content)).message.endsWith(`config.json: ${sentence}`)).toBe(true);
  });

  test('what is not JSON says so, and every problem is in the data', async () => {
    expect((await complaint('{"image": "a",}')).message).toMatch(/config\.json is not JSON: /);
    expect((await complaint('{"image": 1, "network": "some"}')).data.problems).toEqual([
      { key: 'image', problem: 'must be text in quotes' },
      { key: 'network', problem: 'must be one of "open", "allowlist", "none"' },
    ]);
  });

  test('a directory in its place is an error, not no settings', async () => {
    const directory = configDirectory();
    mkdirSync(join(directory, 'config.json'));
    await expect(loadSettings(directory)).rejects.toMatchObject({ code: 'bad-settings' });
  });
});

describe('the repository’s file', () => {
  test('none is an empty spec', () => {
    expect(parseEnvironmentFile(undefined)).toEqual({});
  });

  test('a whole one is read', () => {
    const spec = {
      image: 'example.org/tools:1',
      runtime: 'docker',
      limits: { memory: 5 },
      network: 'none',
      environment: { A: 'b' },
      root: true,
      setup: 'npm ci',
    };
    expect(parseEnvironmentFile(Buffer.from(JSON.stringify(spec)))).toEqual(spec);
  });

  test('its errors name it and the key', () => {
    expect(fileComplaint('{"imgae": "x"}')).toMatchObject({
      code: 'bad-environment-file',
      message: '.coppice/environment.json: imgae is not a key coppice knows.',
      hint: 'Did you mean image?',
    });
    expect(fileComplaint('{"environment": {"A": 1}}').message).toBe(
      '.coppice/environment.json: environment.A must be text in quotes.',
    );
  });
});
