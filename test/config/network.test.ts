import { describe, expect, test } from 'vitest';
import { resolveNetwork } from '../../src/config/network.ts';
import { type NetworkWish, narrower } from '../../src/domain/network.ts';

function resolve(flags?: NetworkWish, file?: NetworkWish, settings?: NetworkWish) {
  return resolveNetwork({ flags, file, settings });
}
const list = (...allow: readonly string[]) => ({ mode: 'allowlist', allow });

describe('the network of a new environment', () => {
  test('is open unless somebody says otherwise; hosts alone mean a list', () => {
    expect(resolve()).toEqual({ network: 'open', leftOut: [] });
    expect(resolve('none').network).toBe('none');
    expect(resolve(undefined, { allow: ['A.example'] }).network).toEqual(list('a.example'));
    expect(resolve(undefined, {}).network).toBe('open');
    expect(resolve('allowlist').network).toEqual(list());
  });

  test('the repository may ask for less than the user gives, not for more', () => {
    expect(resolve(undefined, 'none', 'open')).toEqual({ network: 'none', leftOut: [] });
    expect(resolve(undefined, 'none', { allow: ['a'] })).toEqual({ network: 'none', leftOut: [] });
    expect(resolve(undefined, 'open', 'none')).toEqual({ network: 'none', leftOut: ['open'] });
    expect(resolve(undefined, 'open', { allow: ['a'] })).toEqual({ network: list('a'), leftOut: ['open'] });
    expect(resolve(undefined, { allow: ['a'] }, 'none')).toEqual({ network: 'none', leftOut: ['allowlist'] });
    expect(resolve(undefined, { allow: ['a', 'b.c', 'd:443', 'e:22'] }, { allow: ['a', '*.c', 'd'] })).toEqual({
      network: list('a', '*.c', 'd'),
      leftOut: ['e:22'],
    });
  });

  test('what the command line says holds, and its hosts come on top', () => {
    expect(resolve('open', 'none', 'none')).toEqual({ network: 'open', leftOut: [] });
    expect(resolve({ allow: ['b'] }, undefined, { allow: ['a'] })).toEqual({ network: list('a', 'b'), leftOut: [] });
    expect(resolve({ allow: ['b'] }, { allow: ['a'] })).toEqual({ network: list('a', 'b'), leftOut: [] });
    expect(resolve({ allow: ['b'] }, { allow: ['b'] }, { allow: ['a'] })).toEqual({
      network: list('a', 'b'),
      leftOut: [],
    });
    expect(resolve('allowlist', 'open')).toEqual({ network: list(), leftOut: [] });
    // Hosts the user always allows, where there is a list at all.
    expect(resolve(undefined, undefined, { mode: 'open', allow: ['a'] }).network).toBe('open');
    expect(resolve(undefined, { allow: ['b'] }, { mode: 'open', allow: ['a'] }).network).toEqual(list('a', 'b'));
  });
});

test('of two networks the narrower is what both give', () => {
  expect(narrower('open', 'none')).toBe('none');
  expect(narrower('none', { mode: 'allowlist', allow: ['a'] })).toBe('none');
  expect(narrower({ mode: 'allowlist', allow: ['a'] }, 'open')).toEqual(list('a'));
  expect(narrower('open', { mode: 'allowlist', allow: ['a'] })).toEqual(list('a'));
  const one = { mode: 'allowlist', allow: ['*.c', 'a', 'b:22', 'only.one'] } as const;
  const other = { mode: 'allowlist', allow: ['x.c', 'a:443', 'b:*', 'only.other'] } as const;
  expect(narrower({ ...one, allow: [...one.allow] }, { ...other, allow: [...other.allow] })).toEqual(
    list('b:22', 'x.c', 'a:443'),
  );
});
