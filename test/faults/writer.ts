/** Somebody at work: random changes of every kind to a directory of files, repeatable from a seed. */
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export type Random = (below: number) => number;

/** mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export interface Writer {
  /** Makes so many changes. */
  work(changes: number): void;
}

export function openWriter(root: string, random: Random): Writer {
  const directories = ['', 'src', 'src/deep', 'docs', 'ignored'];
  const directory = () => join(root, directories[random(directories.length)] ?? '');
  const path = () => join(directory(), `f${random(12)}`);
  const content = () => `${random(1_000_000)}\n`.repeat(1 + random(40));
  const makeRoom = (at: string) => {
    if (lstatSync(at, { throwIfNoEntry: false })?.isFile() !== true) rmSync(at, { recursive: true, force: true });
  };
  const write = (at: string) => {
    makeRoom(at);
    writeFileSync(at, content());
  };
  const changes: readonly (() => void)[] = [
    () => write(path()),
    () => write(path()),
    () => {
      const at = path();
      makeRoom(at);
      appendFileSync(at, content());
    },
    () => rmSync(path(), { recursive: true, force: true }),
    () => {
      const at = path();
      makeRoom(at);
      writeFileSync(at, content());
      chmodSync(at, random(2) === 0 ? 0o644 : 0o755);
    },
    () => {
      const at = path();
      rmSync(at, { recursive: true, force: true });
      symlinkSync(`f${random(12)}`, at);
    },
    () => {
      const at = path();
      rmSync(at, { recursive: true, force: true });
      mkdirSync(join(at, 'below'), { recursive: true });
      writeFileSync(join(at, 'below/leaf'), content());
    },
    () => {
      const from = directory();
      const names = readdirSync(from).filter((name) => name.startsWith('f'));
      const name = names[random(Math.max(1, names.length))];
      if (name === undefined) return;
      const to = path();
      if (`${to}/`.startsWith(`${join(from, name)}/`)) return;
      rmSync(to, { recursive: true, force: true });
      renameSync(join(from, name), to);
    },
  ];
  return {
    work(count) {
      for (let made = 0; made < count; made++) {
        for (const one of directories) mkdirSync(join(root, one), { recursive: true });
        changes[random(changes.length)]?.();
      }
    },
  };
}
