import { describe, expect, test } from 'vitest';
import { entryFor, isCovered, joinAllow, parseAllowEntry } from '../../src/domain/allowlist.ts';

describe('an entry of an allowlist', () => {
  test.each([
    ['Example.org', { kind: 'name', name: 'example.org', ports: 'web' }],
    ['example.org.', { kind: 'name', name: 'example.org', ports: 'web' }],
    ['example.org:22', { kind: 'name', name: 'example.org', ports: 22 }],
    ['*.example.org:*', { kind: 'below', name: 'example.org', ports: 'all' }],
    ['*', { kind: 'below', name: '', ports: 'web' }],
    ['localhost:8080', { kind: 'name', name: 'localhost', ports: 8080 }],
    ['10.1.2.3', { kind: 'addresses', address: '10.1.2.3', prefix: 32, ports: 'web' }],
    ['10.0.0.0/8:5432', { kind: 'addresses', address: '10.0.0.0', prefix: 8, ports: 5432 }],
    ['::1', { kind: 'addresses', address: '::1', prefix: 128, ports: 'web' }],
    ['[fd00::]:443', { kind: 'addresses', address: 'fd00::', prefix: 128, ports: 443 }],
    ['fd00::/8', { kind: 'addresses', address: 'fd00::', prefix: 8, ports: 'web' }],
  ])('%s is understood', (text, entry) => {
    expect(parseAllowEntry(text)).toEqual(entry);
  });

  test.each([
    ...[
      '',
      ' ',
      '.',
      ':443',
      'a b',
      'https://example.org',
      'example.org/x',
      'user@example.org',
      'a?b',
      '-x.org',
      'a..b',
    ],
    ...[
      'example.org:0',
      'example.org:65536',
      'example.org:x',
      'example.org:',
      '*x.org',
      'a.*.org',
      '**',
      '*.',
      'größe.de',
    ],
    ...[
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      'fd00::/129',
      '2130706433',
      '0x7f.1',
      '127.1',
      '$(x)',
      '`x`',
      "a'b",
    ],
    'x'.repeat(64),
    `${'x.'.repeat(127)}xx`,
  ])('%j is refused', (text) => {
    expect(() => parseAllowEntry(text)).toThrow(expect.objectContaining({ kind: 'usage', code: 'bad-host' }));
  });

  test('is the shortest that allows what was denied, and can be read back', () => {
    const denied = [
      ['example.org', 443],
      ['example.org', null],
      ['example.org', 22],
      ['::1', 80],
      ['::1', 22],
    ] as const;
    const entries = denied.map(([host, port]) => entryFor({ host, port }));
    expect(entries).toEqual(['example.org', 'example.org', 'example.org:22', '[::1]', '[::1]:22']);
    for (const entry of entries) expect(() => parseAllowEntry(entry ?? '')).not.toThrow();
  });

  test('is none for a host that would allow more, or do harm where it is typed', () => {
    for (const host of [
      '*',
      '*.com',
      '10.0.0.0/8',
      '$(x)',
      'a b',
      "a'",
      '-x',
      '',
      'unnamed\n',
      'a.example:443',
      '0x7f.1',
    ]) {
      expect(entryFor({ host, port: 443 })).toBeUndefined();
    }
  });

  test('counts once, and not where another covers it', () => {
    expect(joinAllow(['A.org', 'b.org'], ['a.org ', 'c.org'])).toEqual(['a.org', 'b.org', 'c.org']);
    const allow = ['a.org', '*.b.org', 'c.org:22', '10.0.0.0/8'];
    for (const entry of ['a.org:443', 'x.b.org', '*.x.b.org:80', 'c.org:22', '10.0.0.0/8']) {
      expect(isCovered(entry, allow)).toBe(true);
    }
    for (const entry of ['a.org:22', 'a.org:*', 'b.org', 'xb.org', 'c.org', '*.a.org', '10.0.0.0/7', '10.0.0.1']) {
      expect(isCovered(entry, allow)).toBe(false);
    }
  });
});
