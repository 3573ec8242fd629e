/** Random work on the files, checkpoints in between: the branch always has what native git would have added. */
import { Buffer } from 'node:buffer';
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BytePath, bytePathFromBuffer } from '../../../src/domain/byte-path.ts';
import { rounds } from '../../support/random.ts';
import { makeEnvironment } from './support.ts';

/** One character per byte: spaces, newlines, not ASCII, not UTF-8, what sorts around '/'. */
const names = [
  'a',
  'b',
  'a.b',
  'a-b',
  'a0',
  'with space',
  'new\nline',
  'tab\t',
  '\xc3\xa9',
  '\xff\xfe',
  '"quoted"',
  'x.o',
  '-dash',
];
const name = fc.constantFrom(...names);
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const content = fc.constantFrom('', 'one\n', 'two\ntwo\n', 'x'.repeat(5000), '\0binary\xff', 'crlf\r\n');

type Action =
  | { readonly kind: 'write' | 'append'; readonly path: string; readonly content: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'delete' | 'mkdir' | 'chmod' | 'link'; readonly path: string }
  | { readonly kind: 'ignore'; readonly content: string }
  | { readonly kind: 'checkpoint'; readonly hinted: boolean };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('write' as const, 'append' as const), path, content }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rename' as const), path, to: path }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('delete' as const, 'mkdir' as const, 'chmod' as const, 'link' as const),
      path,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('ignore' as const),
      content: fc.constantFrom('', '*.o\n', 'a\n!a/b\n', '/a/\n', '*\n!*b\n', 'with space\n'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('checkpoint' as const), hinted: fc.boolean() }) },
);

/** undefined also where a file stands in a directory's place. */
function statOf(path: Buffer): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

function remove(path: Buffer): void {
  if (statOf(path) !== undefined) rmSync(path, { recursive: true });
}

/** Does it if it can be done; returns the paths that it touched. */
function perform(root: string, one: Exclude<Action, { kind: 'checkpoint' }>): readonly string[] {
  const at = (to: string) => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(to, 'latin1')]);
  const place = (to: string) => {
    // Whatever file stands in the way of a directory gives way.
    const parents = to.split('/').slice(0, -1);
    for (let depth = 1; depth <= parents.length; depth++) {
      const up = at(parents.slice(0, depth).join('/'));
      if (!statOf(up)?.isDirectory()) remove(up);
    }
    mkdirSync(at(parents.join('/')), { recursive: true });
    return at(to);
  };
  const touched = (to: string) => [to, to.split('/')[0] ?? to];
  switch (one.kind) {
    case 'write':
      if (statOf(at(one.path))?.isFile() !== true) {
        remove(at(one.path));
      }
      writeFileSync(place(one.path), one.content, 'latin1');
      return touched(one.path);
    case 'append':
      if (statOf(at(one.path))?.isFile()) appendFileSync(at(one.path), one.content, 'latin1');
      return touched(one.path);
    case 'rename':
      if (!(statOf(at(one.path)) !== undefined) || one.to.startsWith(`${one.path}/`) || one.path.startsWith(one.to))
        return [];
      remove(at(one.to));
      try {
        renameSync(at(one.path), place(one.to));
      } catch {
        // Making room for the target took the source away.
      }
      return [...touched(one.path), ...touched(one.to)];
    case 'delete':
      remove(at(one.path));
      return touched(one.path);
    case 'mkdir':
      if (!(statOf(at(one.path)) !== undefined)) mkdirSync(place(one.path));
      return touched(one.path);
    case 'chmod': {
      const stat = statOf(at(one.path));
      if (stat?.isFile()) chmodSync(at(one.path), (stat.mode & 0o777) ^ 0o111);
      return [one.path];
    }
    case 'link':
      remove(at(one.path));
      symlinkSync('../somewhere', place(one.path));
      return touched(one.path);
    case 'ignore':
      writeFileSync(at('.gitignore'), one.content);
      return ['.gitignore'];
  }
}

test('random work: tip equals what git add -A records, at every checkpoint', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
      const environment = makeEnvironment({
        files: { a: '1', 'a.b': '1', 'a-b': '1', 'b/a': '2', 'b/a.b': '3', 'x.o': 'object' },
      });
      const checkpointer = await environment.open();
      let hints: string[] = [];
      for (const one of [...actions, { kind: 'checkpoint', hinted: false } as const]) {
        if (one.kind !== 'checkpoint') {
          hints.push(...perform(environment.tree, one));
          continue;
        }
        const paths = hints.map((hint) => bytePathFromBuffer(Buffer.from(hint, 'latin1')) as BytePath);
        const result = await checkpointer.checkpoint({ cause: 'edit', ...(one.hinted ? { paths } : {}) });
        hints = [];
        expect(result.held).toEqual([]);
        expect(environment.tipTree()).toBe(environment.modelTree());
      }
      await checkpointer.close();
      environment.fsck();
      expect(
        readdirSync(`${environment.host.commonDirectory}/objects/pack`).filter((file) => file.startsWith('tmp')),
      ).toEqual([]);
    }),
    { numRuns: rounds(15) },
  );
});
