import { describe, expect, test } from 'vitest';
import { resolveSpec, type SpecSources } from '../../src/config/resolve.ts';

const machine = { memory: 2 ** 33 + 1, cpus: 4, engineAvailable: true };

function resolve(sources: Partial<SpecSources>) {
  return resolveSpec({ flags: {}, file: {}, settings: {}, machine, ...sources });
}

describe('what an environment is made of', () => {
  test('without any wish: half of the memory, all processors, an open network', () => {
    expect(resolve({})).toEqual({
      runtime: 'docker',
      image: 'node:22-bookworm',
      limits: { memory: 2 ** 32, cpus: 4, pids: 4096 },
      network: 'open',
      environment: {},
      root: false,
      setup: null,
    });
  });

  test('secrets are joined by name, mounts by target; a reference is all there is of a secret', () => {
    const settings = {
      secrets: { A: 'env:SETTINGS', B: 'env:SETTINGS' },
      mounts: [{ source: '~/s', target: '/data' }],
    };
    const file = {
      secrets: { B: { from: 'env:FILE', as: 'file' } },
      mounts: [{ source: 'f', target: '/file' }],
    } as const;
    const flags = { secrets: { C: 'env:FLAGS' }, mounts: [{ source: '/f', target: '/data', readOnly: false }] };
    expect(resolve({ settings, file: { ...file, mounts: [...file.mounts] }, flags })).toMatchObject({
      secrets: {
        A: { from: 'env:SETTINGS', as: 'variable' },
        B: { from: 'env:FILE', as: 'file' },
        C: { from: 'env:FLAGS', as: 'variable' },
      },
      mounts: [
        { source: '/f', target: '/data', readOnly: false },
        { source: 'f', target: '/file', readOnly: true },
      ],
    });
  });

  test('options come before the file, the file before the settings', () => {
    const settings = { image: 'settings', network: 'none', limits: { memory: 1, cpus: 1, pids: 1 } } as const;
    const file = { image: 'file', limits: { memory: 2, cpus: 2 }, environment: { A: 'file', B: 'file' }, root: true };
    const flags = { image: 'flags', limits: { memory: 3 }, environment: { A: 'flags' } };
    expect(resolve({ settings })).toMatchObject({ image: 'settings', network: 'none', limits: settings.limits });
    expect(resolve({ settings, file })).toMatchObject({
      image: 'file',
      network: 'none',
      limits: { memory: 2, cpus: 2, pids: 1 },
    });
    expect(resolve({ settings, file, flags })).toMatchObject({
      image: 'flags',
      network: 'none',
      limits: { memory: 3, cpus: 2, pids: 1 },
      environment: { A: 'flags', B: 'file' },
      root: true,
    });
    expect(resolve({ file: { root: true }, flags: { root: false } }).root).toBe(false);
  });

  test('paths that the repository allows to look like secrets are kept; none leave no trace', () => {
    expect(resolve({ file: { hold: { allow: ['test/keys/'] } } }).hold).toEqual({ allow: ['test/keys/'] });
    expect('hold' in resolve({ file: { hold: {} } })).toBe(false);
    expect(resolve({ file: { hold: { fileBytes: 5 } } }).hold).toEqual({ fileBytes: 5, allow: [] });
  });

  test('the runtime is what was asked for, else docker where an engine answers', () => {
    const noEngine = { ...machine, engineAvailable: false };
    expect(resolve({ machine: noEngine })).toMatchObject({ runtime: 'sandbox', image: null });
    expect(resolve({ machine: noEngine, settings: { runtime: 'docker' } }).runtime).toBe('docker');
    expect(resolve({ settings: { runtime: 'docker' }, file: { runtime: 'sandbox' } }).runtime).toBe('sandbox');
    expect(resolve({ file: { runtime: 'sandbox' }, flags: { runtime: 'docker' } }).runtime).toBe('docker');
  });

  test('an image for the sandbox is refused; the user’s usual image is not meant for it', () => {
    expect(() => resolve({ flags: { image: 'x', runtime: 'sandbox' } })).toThrow(
      expect.objectContaining({ kind: 'usage', code: 'no-images' }),
    );
    expect(resolve({ settings: { image: 'x', runtime: 'sandbox' } }).image).toBeNull();
    expect(resolve({ file: { image: 'x' }, flags: { runtime: 'sandbox' } }).image).toBeNull();
  });

  test('the repository’s image is not ignored in silence where no engine answers', () => {
    expect(() => resolve({ machine: { ...machine, engineAvailable: false }, file: { image: 'x' } })).toThrow(
      expect.objectContaining({ kind: 'unavailable', code: 'engine-unreachable' }),
    );
  });
});
