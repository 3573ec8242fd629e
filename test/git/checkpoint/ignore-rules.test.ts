/** Our ignore rules against `git check-ignore`, on random rules and paths. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BytePath } from '../../../src/domain/byte-path.ts';
import { openRuleFiles, type RuleFiles } from '../../../src/git/checkpoint/rule-files.ts';
import { closeDirectory, openTree } from '../../../src/platform/tree-reader.ts';
import { rounds } from '../../support/random.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';

const segment = fc.constantFrom(
  'a',
  'b',
  'ab',
  'foo',
  'bar',
  'A',
  'x.o',
  'y.log',
  'a-b',
  '[',
  'é',
  'a b',
  '#x',
  '!x',
  '\\',
);
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const piece = fc.oneof(
  { weight: 4, arbitrary: segment },
  fc.constantFrom(
    '*',
    '**',
    '?',
    '*.o',
    '*o*',
    'f*',
    '**/',
    '/',
    '/**',
    '[a-c]',
    '[!a]',
    '[^a]',
    '[]a]',
    '[a',
    '\\a',
    '\\*',
    '\\',
    ' ',
  ),
  fc.constantFrom(
    '[[:alpha:]]',
    '[[:upper:]a]',
    '[[:nope:]]',
    '[a-]',
    '[\\]]',
    'a**',
    '**b',
    '***',
    '\\ ',
    '\\/',
    '[[:digit:]',
    '.',
  ),
);
const pattern = fc
  .tuple(
    fc.constantFrom('', '', '', '!', '/', '#', '!/'),
    fc.array(piece, { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', '', '/', ' ', '\r', '  '),
  )
  .map(([start, pieces, end]) => `${start}${pieces.join('')}${end}`);
const rules = fc.array(pattern, { minLength: 1, maxLength: 6 }).map((lines) => lines.join('\n'));

function gitIgnored(repository: TestRepository, paths: readonly string[]): ReadonlySet<string> {
  try {
    const output = execFileSync('git', ['check-ignore', '--no-index', '-z', '--stdin'], {
      cwd: repository.path,
      env: repository.env,
      input: paths.join('\0'),
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    return new Set(output.toString('utf8').split('\0'));
  } catch (error) {
    // Status 1: none of them.
    if (error instanceof Error && 'status' in error && error.status === 1) return new Set();
    throw error;
  }
}

/** Reads the rule files of the root and of the directories on the way, as a scan does, and asks for one path. */
function ours(files: RuleFiles, root: string, asked: string, isDirectory: boolean): boolean {
  const names = Buffer.from(asked).toString('latin1').split('/');
  const top = openTree(root);
  let rulesHere = files.enter(() => top, '', undefined);
  closeDirectory(top);
  let here = '' as BytePath | '';
  for (const [index, name] of names.entries()) {
    const at = (here === '' ? name : `${here}/${name}`) as BytePath;
    const last = index === names.length - 1;
    if (files.ignores(rulesHere, at, name, last ? isDirectory : true)) return true;
    if (last) return false;
    const directory = openTree(join(root, Buffer.from(at, 'latin1').toString('utf8')));
    rulesHere = files.enter(() => directory, at, rulesHere);
    closeDirectory(directory);
    here = at;
  }
  return false;
}

for (const ignoreCase of [false, true]) {
  test(`as git check-ignore, ignoreCase ${ignoreCase}`, async () => {
    const repository = makeRepository();
    repository.git('config', 'core.ignoreCase', String(ignoreCase));
    await fc.assert(
      fc.asyncProperty(
        rules,
        fc.tuple(path, rules),
        rules,
        fc.uniqueArray(path, { minLength: 8, maxLength: 25 }),
        async (rootRules, [nested, nestedRules], exclude, paths) => {
          for (const name of execFileSync('ls', ['-A', repository.path], { encoding: 'utf8' }).split('\n')) {
            if (name !== '' && name !== '.git') rmSync(join(repository.path, name), { recursive: true });
          }
          for (const one of [...paths, nested]) mkdirSync(join(repository.path, dirname(one)), { recursive: true });
          mkdirSync(join(repository.path, nested), { recursive: true });
          writeFileSync(join(repository.path, '.gitignore'), rootRules);
          writeFileSync(join(repository.path, nested, '.gitignore'), nestedRules);
          writeFileSync(join(repository.path, '.git/info/exclude'), exclude);
          const directories = new Set<string>();
          for (const one of [...paths, nested]) {
            for (let up = one === nested ? one : dirname(one); up !== '.'; up = dirname(up)) directories.add(up);
          }
          const files = openRuleFiles({
            commonDirectory: join(repository.path, '.git'),
            userExcludes: '',
            ignoreCase: () => ignoreCase,
          });
          await files.refresh();
          const expected = gitIgnored(repository, paths);
          const found = paths.filter((one) => ours(files, repository.path, one, directories.has(one)));
          expect(found).toEqual(paths.filter((one) => expected.has(one)));
        },
      ),
      { numRuns: rounds(60) },
    );
  });
}
