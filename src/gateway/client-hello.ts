/** Finds the server's name in the first bytes of a TLS connection (RFC 8446 §4.1.2, RFC 6066 §3). Pure. */

export type Hello =
  /** `undefined`: it names nobody. */
  | { readonly kind: 'complete'; readonly name: string | undefined }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'not-tls' };

const handshake = 22;
const clientHello = 1;
const longest = 2 ** 16;

export function readHello(bytes: Buffer): Hello {
  const message = handshakeOf(bytes);
  if (!Buffer.isBuffer(message)) return message;
  try {
    return { kind: 'complete', name: nameIn(message) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { kind: 'not-tls' };
  }
}

/** The ClientHello, put together from the records it is spread over. */
function handshakeOf(bytes: Buffer): Buffer | Hello {
  const parts: Buffer[] = [];
  let size = 0;
  for (let at = 0; ; ) {
    const whole = Buffer.concat(parts);
    if (size >= 4) {
      const length = 4 + whole.readUIntBE(1, 3);
      if (whole[0] !== clientHello || length > longest) return { kind: 'not-tls' };
      if (size >= length) return whole.subarray(4, length);
    }
    if (bytes.length > at && bytes[at] !== handshake) return { kind: 'not-tls' };
    if (bytes.length < at + 5) return { kind: 'incomplete' };
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at + 1] !== 3 || length === 0 || length > 2 ** 14) return { kind: 'not-tls' };
    if (bytes.length < at + 5 + length) return { kind: 'incomplete' };
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    size += length;
    at += 5 + length;
  }
}

/** Reading past the end throws a RangeError. */
function nameIn(hello: Buffer): string | undefined {
  let at = 2 + 32;
  at += 1 + hello.readUInt8(at);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello.readUInt8(at);
  if (at === hello.length) return undefined;
  const end = at + 2 + hello.readUInt16BE(at);
  at += 2;
  while (at < end) {
    const type = hello.readUInt16BE(at);
    const length = hello.readUInt16BE(at + 2);
    if (type === 0) return serverName(hello.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return undefined;
}

function serverName(extension: Buffer): string | undefined {
  const length = extension.readUInt16BE(3);
  if (extension.readUInt8(2) !== 0 || extension.length < 5 + length) return undefined;
  return extension.toString('latin1', 5, 5 + length);
}
