import { describe, expect, test } from 'vitest';
import { denialLog } from '../../src/gateway/denials.ts';
import { answer } from '../../src/gateway/dns.ts';
import { makePolicy } from '../../src/gateway/policy.ts';

function asking() {
  const noted: (readonly [string, number | null, string])[] = [];
  const policy = makePolicy({ allow: ['example.org', '*.example.net'], own: () => [] }, async () => {
    throw new Error('A look-up asks nobody.');
  });
  const denials = { add: (...each: readonly [string, number | null, string]) => void noted.push(each) };
  const ask = (query: Buffer) => answer(query, { policy, denials, address: '198.18.0.2' });
  return { ask, noted };
}

/** RFC 1035 §4.1. */
function query(name: string | readonly Buffer[], type: number, flags = 0x0100): Buffer {
  const labels = typeof name === 'string' ? name.split('.').map((label) => Buffer.from(label, 'latin1')) : name;
  const header = Buffer.from([0x12, 0x34, flags >> 8, flags & 255, 0, 1, 0, 0, 0, 0, 0, 0]);
  const question = labels.flatMap((label) => [Buffer.from([label.length]), label]);
  return Buffer.concat([header, ...question, Buffer.from([0, type >> 8, type & 255, 0, 1])]);
}

const [a, aaaa, txt, ptr] = [1, 28, 16, 12];

describe('the name server', () => {
  test('says of allowed names that they are where the gateway is', () => {
    const { ask, noted } = asking();
    const asked = query('Example.org', a);
    const said = ask(asked);
    expect(said?.subarray(0, 12).toString('hex')).toBe('123481800001000100000000');
    expect(said?.subarray(12, asked.length)).toEqual(asked.subarray(12));
    expect(said?.subarray(asked.length).toString('hex')).toBe('c00c0001000100000005' + '0004c6120002');
    expect(ask(query('a.b.example.net', a))?.readUInt16BE(6)).toBe(1);
    expect(noted).toEqual([]);
  });

  test('has no other answers: no IPv6 address, no text, nothing of other names', () => {
    const { ask, noted } = asking();
    for (const type of [aaaa, txt, 65, 255]) {
      expect(ask(query('example.org', type))?.subarray(2, 8).toString('hex')).toBe('818000010000');
    }
    for (const type of [a, aaaa, txt]) expect(ask(query('Data.evil.example', type))?.readUInt16BE(2)).toBe(0x8183);
    expect(noted).toEqual(Array(3).fill(['data.evil.example', null, 'not-listed']));
    expect(ask(query('4.3.2.1.in-addr.arpa', ptr))?.readUInt16BE(2)).toBe(0x8183);
    expect(noted).toHaveLength(3);
  });

  test('takes a dot inside a label for no dot', () => {
    const { ask } = asking();
    expect(ask(query([Buffer.from('example.org')], a))?.readUInt16BE(2)).toBe(0x8180);
    expect(ask(query([Buffer.from('evil'), Buffer.from('x\0.example.net')], a))?.readUInt16BE(2)).toBe(0x8183);
  });

  test('does not answer what is no question', () => {
    const { ask } = asking();
    const whole = query('example.org', a);
    for (let length = 0; length < whole.length; length += 1) expect(ask(whole.subarray(0, length))).toBeUndefined();
    expect(ask(query('example.org', a, 0x8180))).toBeUndefined();
    expect(ask(Buffer.concat([whole.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0])]))).toBeUndefined();
    expect(ask(query('example.org', a, 0x2900))?.readUInt16BE(2)).toBe(0xa984);
  });
});

describe('what was denied', () => {
  test('is counted, the latest first, in plain characters, and little of it at once', async () => {
    const told: Parameters<Parameters<typeof denialLog>[0]>[0][] = [];
    let second = 0;
    const { promise, resolve } = deferred();
    const log = denialLog(
      (denials) => {
        told.push(denials);
        resolve();
      },
      () => new Date(Date.UTC(2026, 0, 1, 0, 0, second++)),
    );
    log.add('a.example', 443, 'not-listed');
    log.add('\x1b]0;x\x07\u202e', null, 'not-listed');
    log.add('a.example', 443, 'not-listed');
    await promise;
    expect(told).toEqual([
      {
        total: 3,
        recent: [
          { host: 'a.example', port: 443, reason: 'not-listed', count: 2, first: time(0), last: time(2) },
          { host: '?]0;x??', port: null, reason: 'not-listed', count: 1, first: time(1), last: time(1) },
        ],
      },
    ]);
  });

  test('fits into a line of a container’s log, however many and long the names are', async () => {
    const { promise, resolve } = deferred();
    let line = '';
    const log = denialLog((denials) => {
      line = JSON.stringify({ denied: denials });
      resolve();
    });
    for (let index = 0; index < 1_000; index += 1) log.add(`${index}"${'\\'.repeat(300)}`, 65_535, 'not-listed');
    await promise;
    expect(JSON.parse(line).denied.total).toBe(1_000);
    expect(line.length).toBeLessThan(2 ** 14);
  });
});

const time = (second: number) => `2026-01-01T00:00:0${second}.000Z`;

function deferred() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
