import { describe, expect, it } from 'vitest';
import { directoriesOf, repositoryIdOf } from '../../src/domain/directories.ts';
import { isEnvironmentName, parseEnvironmentName } from '../../src/domain/environment-name.ts';
import { nameOfRecordRef, refsOf, trashRef } from '../../src/domain/ref-layout.ts';
import { isRefName, parseBranch } from '../../src/domain/ref-name.ts';
import { makeRepository } from '../support/repository.ts';

describe('environment names', () => {
  it.each(['a', 'login', 'fix-404', 'v1.2', 'a_b', '0', `x${'y'.repeat(61)}z`])('takes %s', (name) => {
    expect(isEnvironmentName(name)).toBe(true);
  });

  it.each(['', 'A', 'a/b', '-a', 'a-', '.a', 'a..b', 'a.lock', 'trash', 'ä', 'a b', 'a\n', '--help', 'x'.repeat(64)])(
    'refuses %j',
    (name) => {
      expect(isEnvironmentName(name)).toBe(false);
    },
  );

  it('suggests a name that would do', () => {
    const refused = (text: string) => {
      try {
        return parseEnvironmentName(text);
      } catch (error) {
        return error;
      }
    };
    expect(refused('Fix Login/404')).toMatchObject({
      code: 'bad-environment-name',
      data: { suggestion: 'fix-login-404' },
    });
    expect(refused('///')).toMatchObject({ code: 'bad-environment-name', data: {} });
  });

  it('makes only references git accepts', () => {
    const { git } = makeRepository();
    for (const name of ['login', 'v1.2', 'a_b-c']) {
      const refs = refsOf(parseEnvironmentName(name));
      for (const ref of [refs.branch, refs.base, refs.head, refs.record, refs.tail(7), refs.agentHead('feature/x')]) {
        expect(git('check-ref-format', ref)).toBe('');
      }
      expect(nameOfRecordRef(refs.record)).toBe(name);
    }
    expect(nameOfRecordRef('refs/coppice/trash/record')).toBeUndefined();
    expect(nameOfRecordRef('refs/coppice/login/heads/record')).toBeUndefined();
  });

  it('names the trash by time, so that it sorts', () => {
    const name = parseEnvironmentName('login');
    const at = new Date('2026-11-22T13:16:50.123Z');
    expect(trashRef(name, at)).toBe('refs/coppice/trash/login/20261122T131650Z');
    expect(trashRef(name, at, 2)).toBe('refs/coppice/trash/login/20261122T131650Z-2');
  });
});

describe('reference names', () => {
  it('agrees with git about what is one', () => {
    const { git } = makeRepository();
    const candidates = [
      'refs/heads/a',
      'refs/heads/a/b',
      'refs/heads/a..b',
      'refs/heads/a.lock',
      'refs/heads/.a',
      'refs/heads/a.',
      'refs/heads/@{',
      'refs/heads/a b',
      'refs/heads/a~1',
      'refs/heads/a^',
      'refs/heads/a:b',
      'refs/heads/a?',
      'refs/heads/a*',
      'refs/heads/a[',
      'refs/heads/a\\b',
      'refs/heads/a//b',
      'refs/heads/a/',
      'refs/heads/ä',
      'refs/heads/@',
      'refs/heads/-a',
      'refs/heads/a\x7f',
    ];
    const accepts = (name: string) => {
      try {
        git('check-ref-format', name);
        return true;
      } catch (error) {
        if (error instanceof Error) return false;
        throw error;
      }
    };
    expect(candidates.map((name) => [name, isRefName(name)])).toEqual(candidates.map((name) => [name, accepts(name)]));
  });

  it('takes a branch by its short or its full name, and no option', () => {
    expect(parseBranch('feature/x')).toBe('refs/heads/feature/x');
    expect(parseBranch('refs/heads/main')).toBe('refs/heads/main');
    expect(() => parseBranch('--force')).toThrow('not a branch name');
    expect(() => parseBranch('a b')).toThrow('not a branch name');
  });
});

describe('directories', () => {
  it('tells two repositories of one name apart, and one from everywhere alike', () => {
    expect(repositoryIdOf('/a/My Project/.git')).toMatch(/^my-project-[0-9a-f]{10}$/);
    expect(repositoryIdOf('/a/x/.git')).not.toBe(repositoryIdOf('/b/x/.git'));
    expect(repositoryIdOf('/a/x.git')).toMatch(/^x-/);
    expect(repositoryIdOf('/a/日本/.git')).toMatch(/^[0-9a-f]{10}$/);
    expect(directoriesOf('/data', 'x-1', parseEnvironmentName('one')).tree).toBe('/data/x-1/one/tree');
  });
});
