/**
 * Paths in a tree as git has them: bytes, relative, '/' between components. Held as a string with one character per
 * byte (“latin1”), so that names which are not UTF-8 survive, and so that `<` orders them as git does.
 */
import type { Brand } from './brand.ts';

export type BytePath = Brand<string, 'BytePath'>;

export function bytePathFromBuffer(bytes: Uint8Array): BytePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') as BytePath;
}

/** From an ordinary (UTF-16) string, such as a person types. */
export function bytePathFromText(text: string): BytePath {
  return Buffer.from(text, 'utf8').toString('latin1') as BytePath;
}

export function bytesOf(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

/** For people and JSON: UTF-8 where it is UTF-8; other bytes become U+FFFD. */
export function textOf(path: BytePath): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

export function joinPath(parent: BytePath | '', name: string): BytePath {
  return (parent === '' ? name : `${parent}/${name}`) as BytePath;
}
