import { describe, expect, test } from 'vitest';
import { addressRules } from '../../src/gateway/addresses.ts';
import { makePolicy } from '../../src/gateway/policy.ts';

const hosts: Readonly<Record<string, readonly string[]>> = {
  'example.org': ['93.184.216.34', '2606:2800:220:1::1'],
  'mixed.example': ['10.0.0.1', '93.184.216.34'],
  'inner.example': ['10.1.2.3'],
  'mapped.example': ['::ffff:10.1.2.3'],
  'mine.example': ['198.51.100.7'],
};

function policy(...allow: readonly string[]) {
  const asked: string[] = [];
  const made = makePolicy({ allow, own: () => ['198.51.100.7'] }, async (name) => {
    asked.push(name);
    return hosts[name] ?? [];
  });
  return { ...made, asked };
}

const allowed = (...addresses: readonly string[]) => ({ kind: 'allowed', addresses });
const notListed = { kind: 'denied', reason: 'not-listed' };
const isPrivate = { kind: 'denied', reason: 'private' };

describe('what an allowlist lets through', () => {
  test('a host: itself only, at the ports of the web, however it is written', async () => {
    const { decide, asked } = policy('Example.ORG');
    const found = allowed('93.184.216.34', '2606:2800:220:1::1');
    for (const host of ['example.org', 'EXAMPLE.org', 'example.org.']) expect(await decide(host, 443)).toEqual(found);
    expect(await decide('example.org', 80)).toEqual(found);
    expect(await decide('example.org', 22)).toEqual(notListed);
    for (const host of ['a.example.org', 'xexample.org', 'example.org.evil.example', 'org', '', '.', 'example.org\0.x'])
      expect(await decide(host, 443)).toEqual(notListed);
    // What is not listed is not even looked up: a look-up tells somebody.
    expect(new Set(asked)).toEqual(new Set(['example.org']));
  });

  test('everything below a name, one port, all ports', async () => {
    const below = policy('*.example');
    expect(await below.decide('mixed.example', 443)).toEqual(allowed('93.184.216.34'));
    expect(await below.decide('example', 443)).toEqual(notListed);
    expect((await policy('example.org:22').decide('example.org', 22)).kind).toBe('allowed');
    expect(await policy('example.org:22').decide('example.org', 443)).toEqual(notListed);
    expect((await policy('example.org:*').decide('example.org', 9418)).kind).toBe('allowed');
    expect((await policy('*').decide('example.org', 443)).kind).toBe('allowed');
    expect(await policy('*').decide('93.184.216.34', 443)).toEqual(notListed);
  });

  test('a name that leads to a private address, or to the machine, only where that address is listed too', async () => {
    expect(await policy('inner.example', '*.example').decide('inner.example', 80)).toEqual(isPrivate);
    expect(await policy('mapped.example').decide('mapped.example', 80)).toEqual(isPrivate);
    expect(await policy('mine.example').decide('mine.example', 443)).toEqual(isPrivate);
    expect(await policy('inner.example', '10.1.2.3').decide('inner.example', 80)).toEqual(allowed('10.1.2.3'));
    expect(await policy('mapped.example', '10.0.0.0/8').decide('mapped.example', 80)).toEqual(allowed('10.1.2.3'));
    expect(await policy('inner.example', '10.1.2.3:5432').decide('inner.example', 80)).toEqual(isPrivate);
  });

  test('an address only where it is listed, whatever it is written like', async () => {
    const { decide } = policy('10.1.2.0/24:5432', '[2001:db8::5]:443', '*');
    expect(await decide('10.1.2.77', 5432)).toEqual(allowed('10.1.2.77'));
    expect(await decide('::ffff:10.1.2.77', 5432)).toEqual(allowed('10.1.2.77'));
    expect(await decide('::ffff:a01:24d', 5432)).toEqual(allowed('10.1.2.77'));
    expect(await decide('10.1.3.1', 5432)).toEqual(notListed);
    expect(await decide('[2001:DB8::0:5]', 443)).toEqual(allowed('2001:db8::5'));
    // What the C library would take for 127.0.0.1.
    for (const host of ['2130706433', '0x7f000001', '127.1', '0177.0.0.1', '0x7f.1', '127.0.0.1', '::1', '0.0.0.0'])
      expect(await decide(host, 443)).toEqual(notListed);
  });

  test('a name that does not exist is unknown, not denied', async () => {
    expect(await policy('nowhere.example').decide('nowhere.example', 443)).toEqual({ kind: 'unknown' });
  });

  test('names may be looked up that are listed for any port', () => {
    const { mayLookUp } = policy('example.org:22', '*.example');
    expect(['example.org', 'Example.Org.', 'a.example'].map(mayLookUp)).toEqual([true, true, true]);
    expect(['a.example.org', 'example', 'a b.example', '\x1b.example'].map(mayLookUp)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

test.each([
  ...['0.0.0.0', '10.255.0.1', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.31.255.255', '192.168.0.1'],
  ...['198.18.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::7f00:1'],
  ...['64:ff9b::7f00:1', '2002:7f00:1::', '2001::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1', 'fe80::1%eth0', 'ff02::1'],
  ...['198.51.100.7', 'nonsense', ''],
])('%s is not public', (address) => {
  expect(addressRules(['198.51.100.7']).isPublic(address)).toBe(false);
});

test.each(['1.1.1.1', '172.32.0.1', '100.128.0.1', '192.0.1.1', '2606:4700::1111', '::ffff:8.8.8.8'])(
  '%s is public',
  (address) => {
    expect(addressRules([]).isPublic(address)).toBe(true);
  },
);
