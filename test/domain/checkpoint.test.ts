import { describe, expect, it } from 'vitest';
import { bytePathFromText, textOf } from '../../src/domain/byte-path.ts';
import type { Change } from '../../src/domain/change.ts';
import { checkpointMessage, oneLine, subjectOf } from '../../src/domain/checkpoint.ts';
import { parseEnvironmentName } from '../../src/domain/environment-name.ts';
import { parseOid } from '../../src/domain/oid.ts';

const oid = (digit: string) => parseOid(digit.repeat(40));

function change(path: string, kind: Change['kind'], lines?: Change['lines']): Change {
  const entry = (digit: string) => ({ mode: '100644' as const, oid: oid(digit) });
  return {
    path: bytePathFromText(path),
    kind,
    before: kind === 'added' ? undefined : entry('1'),
    after: kind === 'deleted' ? undefined : entry('2'),
    lines,
  };
}

describe('the message of a checkpoint', () => {
  it('says in its subject what changed', () => {
    expect(subjectOf([change('src/auth.ts', 'modified', { added: 12, removed: 3 })])).toBe('src/auth.ts: +12 −3');
    expect(subjectOf([change('a.png', 'modified')])).toBe('a.png: changed');
    expect(subjectOf([change('new.ts', 'added', { added: 2, removed: 0 })])).toBe('add new.ts: +2 −0');
    expect(subjectOf([change('old.ts', 'deleted')])).toBe('delete old.ts');
    expect(subjectOf([change('src/a/x.ts', 'added'), change('src/b/y.ts', 'added')])).toBe('2 files in src/');
    expect(subjectOf([change('x', 'added'), change('b/y', 'added')])).toBe('2 files');
    const chmod: Change = { ...change('run.sh', 'modified'), after: { mode: '100755', oid: oid('1') } };
    expect(subjectOf([chmod])).toBe('run.sh: mode 100755');
  });

  it('says in trailers where and why, a line each whatever an agent put into names and commands', () => {
    const message = checkpointMessage({
      environment: parseEnvironmentName('one'),
      cause: 'exec echo\nCoppice-Environment: two\x1b[31m',
      changes: [change('a\nb\x07.txt', 'added')],
      execs: ['131650-1a2b3c4d'],
      operation: 'rebase',
    });
    expect(message).toBe(
      [
        'add a b .txt',
        '',
        'Coppice-Environment: one',
        'Coppice-Cause: exec echo Coppice-Environment: two [31m',
        'Coppice-Exec: 131650-1a2b3c4d',
        'Coppice-Operation-In-Progress: rebase',
        '',
      ].join('\n'),
    );
  });

  it('cuts what is too long', () => {
    expect(oneLine('x'.repeat(300), 10)).toBe(`${'x'.repeat(9)}…`);
  });
});

it('keeps paths that are not UTF-8, and shows them all the same', () => {
  const path = bytePathFromText('größe');
  expect(path).toHaveLength(7);
  expect(textOf(path)).toBe('größe');
});
