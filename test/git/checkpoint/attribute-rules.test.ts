/** Our attributes against `git check-attr`, on random rules and paths. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BytePath } from '../../../src/domain/byte-path.ts';
import type { AttributeValue } from '../../../src/git/checkpoint/attribute-rules.ts';
import { openRuleFiles } from '../../../src/git/checkpoint/rule-files.ts';
import { closeDirectory, openTree } from '../../../src/platform/tree-reader.ts';
import { rounds } from '../../support/random.ts';
import { makeRepository } from '../../support/repository.ts';

const asked = ['text', 'eol', 'crlf', 'ident', 'filter', 'binary', 'diff', 'merge', 'mine'];
const segment = fc.constantFrom('a', 'b', 'foo', 'x.txt', 'y.c', 'é', 'a b', 'A');
const path = fc.tuple(fc.constantFrom('', 'd/', 'd/e/'), segment).map((parts) => parts.join(''));
const pattern = fc.oneof(
  segment,
  fc.constantFrom(
    '*',
    '*.txt',
    '/a',
    'd/*',
    'd/**',
    '**/a',
    '"a b"',
    '"\\303\\251"',
    '"bad',
    '!a',
    'd/',
    'e/x.txt',
    '[ab]',
    '#a',
    '"a"x',
  ),
);
const assignment = fc.oneof(
  fc.tuple(fc.constantFrom('', '-', '!'), fc.constantFrom(...asked)).map(([sign, name]) => sign + name),
  fc.constantFrom(
    'text=auto',
    'eol=lf',
    'eol=crlf',
    'filter=lfs',
    'diff=',
    '-text=x',
    'crlf=input',
    'bad@name',
    '--x',
    'mine=1=2',
  ),
);
const line = fc
  .tuple(
    fc.oneof({ weight: 5, arbitrary: pattern }, fc.constantFrom('[attr]mine', '[attr]binary', '[attr]', '[attr]bad/x')),
    fc.array(assignment, { maxLength: 3 }),
    fc.constantFrom('', '\r', ' ', '\t'),
  )
  .map(([start, assignments, end]) => `${[start, ...assignments].join(' ')}${end}`);
const rules = fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n'));

const shown = (value: AttributeValue | undefined) => {
  if (value === undefined || value === 'unspecified') return 'unspecified';
  if (typeof value === 'object') return value.text;
  return value ? 'set' : 'unset';
};

test('as git check-attr', async () => {
  const repository = makeRepository();
  const { path: root } = repository;
  mkdirSync(join(root, 'd/e'), { recursive: true });
  await fc.assert(
    fc.asyncProperty(
      rules,
      rules,
      rules,
      rules,
      fc.uniqueArray(path, { minLength: 4, maxLength: 10 }),
      async (top, d, e, info, paths) => {
        writeFileSync(join(root, '.gitattributes'), top);
        writeFileSync(join(root, 'd/.gitattributes'), d);
        writeFileSync(join(root, 'd/e/.gitattributes'), e);
        rmSync(join(root, '.git/info/attributes'), { force: true });
        writeFileSync(join(root, '.git/info/attributes'), info);
        const output = execFileSync('git', ['check-attr', '-z', '--stdin', ...asked], {
          cwd: root,
          env: repository.env,
          input: paths.join('\0'),
          stdio: ['pipe', 'pipe', 'ignore'],
        });
        const fields = output.toString('utf8').split('\0');
        const expected: string[] = [];
        for (let at = 0; at + 2 < fields.length; at += 3) expected.push(fields.slice(at, at + 3).join(' '));

        const files = openRuleFiles({ commonDirectory: join(root, '.git'), userExcludes: '', ignoreCase: () => false });
        await files.refresh();
        const levels = ['', 'd', 'd/e'].map((level) => ({
          level: level as BytePath | '',
          directory: openTree(join(root, level)),
        }));
        let parent: ReturnType<typeof files.enter> | undefined;
        const entered = new Map<string, ReturnType<typeof files.enter>>();
        for (const { level, directory } of levels) {
          parent = files.enter(() => directory, level, parent);
          entered.set(level, parent);
          closeDirectory(directory);
        }
        const found = paths.flatMap((one) => {
          const bytes = Buffer.from(one).toString('latin1') as BytePath;
          const cut = bytes.lastIndexOf('/');
          const here = entered.get(cut < 0 ? '' : bytes.slice(0, cut));
          if (here === undefined) throw new Error(one);
          const attributes = files.attributesFor(here, bytes, bytes.slice(cut + 1));
          return asked.map((name) => `${one} ${name} ${shown(attributes.get(name))}`);
        });
        expect(found).toEqual(expected);
      },
    ),
    { numRuns: rounds(60) },
  );
});
