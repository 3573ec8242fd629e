/** A name server that knows one answer: allowed names are where the gateway is, others do not exist. It asks nobody. */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import type { DenialLog } from './denials.ts';
import { normal, type Policy } from './policy.ts';

/** RFC 1035 §3.2.2, §4.1.1. */
const types = { a: 1, ptr: 12, aaaa: 28 };
const codes = { ok: 0, noSuchName: 3, notImplemented: 4 };
/** Seconds an answer holds: short, because the list may change. */
const holds = 5;
const maxConnections = 64;

export interface DnsPlace {
  readonly policy: Policy;
  readonly denials: DenialLog;
  /** IPv4 address of the gateway. */
  readonly address: string;
}

export function datagramServer(place: DnsPlace): DatagramSocket {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const reply = answer(query, place);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  return socket;
}

/** Each message has its length in front (RFC 1035 §4.2.2). */
export function streamServer(place: DnsPlace): Server {
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    client.setTimeout(10_000, () => client.destroy());
    let seen = Buffer.alloc(0);
    client.on('data', (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      while (seen.length >= 2 && seen.length >= 2 + seen.readUInt16BE(0)) {
        const length = seen.readUInt16BE(0);
        const reply = answer(seen.subarray(2, 2 + length), place);
        seen = seen.subarray(2 + length);
        if (reply === undefined) {
          client.destroy();
          return;
        }
        const size = Buffer.alloc(2);
        size.writeUInt16BE(reply.length);
        client.write(Buffer.concat([size, reply]));
      }
    });
  });
  server.maxConnections = maxConnections;
  return server;
}

/** Undefined for what is no query. Names that belong to addresses are not told, nor is that noted. */
export function answer(query: Buffer, { policy, denials, address }: DnsPlace): Buffer | undefined {
  const question = readQuestion(query);
  if (question === undefined) return undefined;
  const { name, type, end, opcode } = question;
  if (opcode !== 0) return reply(query, end, codes.notImplemented);
  if (type === types.ptr) return reply(query, end, codes.noSuchName);
  if (!policy.mayLookUp(name)) {
    denials.add(normal(name), null, 'not-listed');
    return reply(query, end, codes.noSuchName);
  }
  return reply(query, end, codes.ok, type === types.a ? address : undefined);
}

interface Question {
  readonly name: string;
  readonly type: number;
  /** Where it ends in the message. */
  readonly end: number;
  readonly opcode: number;
}

function readQuestion(query: Buffer): Question | undefined {
  const isQuery = query.length >= 17 && (query.readUInt16BE(2) & 0x8000) === 0;
  if (!isQuery || query.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = 12;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63 || at + 1 + length > query.length) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(query.toString('latin1', at, at + length));
    at += length;
  }
  if (at + 4 > query.length || labels.length > 127) return undefined;
  const opcode = (query.readUInt16BE(2) >> 11) & 15;
  return { name: labels.join('.'), type: query.readUInt16BE(at), end: at + 4, opcode };
}

function reply(query: Buffer, end: number, code: number, address?: string): Buffer {
  const head = Buffer.from(query.subarray(0, end));
  // A response, recursion available; what was asked about recursion is repeated.
  head.writeUInt16BE(0x8080 | (query.readUInt16BE(2) & 0x7900) | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(address === undefined ? 0 : 1, 6);
  head.writeUInt32BE(0, 8);
  if (address === undefined) return head;
  const record = Buffer.alloc(16);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(types.a, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(holds, 6);
  record.writeUInt16BE(4, 10);
  for (const [index, part] of address.split('.').entries()) record[12 + index] = Number(part);
  return Buffer.concat([head, record]);
}
