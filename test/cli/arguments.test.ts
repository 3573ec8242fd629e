import { expect, it } from 'vitest';
import { splitArguments } from '../../src/cli/arguments.ts';

it('takes what is the same everywhere off, and leaves a command’s own words alone', () => {
  expect(splitArguments(['list'], '/here')).toEqual({
    globals: { json: false, directory: undefined },
    words: ['list'],
    rest: [],
  });
  expect(splitArguments(['-C', 'a', '-C', '../b', '--json', 'show', 'one'], '/here')).toEqual({
    globals: { json: true, directory: '/here/b' },
    words: ['show', 'one'],
    rest: [],
  });
  expect(splitArguments(['exec', 'one', '-e', 'A=1', '--', 'npm', 'test', '--', '--json', '-C'], '/here')).toEqual({
    globals: { json: false, directory: undefined },
    words: ['exec', 'one', '-e', 'A=1'],
    rest: ['npm', 'test', '--', '--json', '-C'],
  });
  expect(() => splitArguments(['-C'], '/here')).toThrow('-C needs a directory');
});
