import { expect, test } from 'vitest';
import { withDirectories } from '../../../src/runtime/docker/archive-names.ts';

test('every directory is named once, before what is in it', () => {
  expect(withDirectories(['usr/bin/a', 'usr/bin/b', 'usr/lib/x/y', 'node'])).toEqual([
    'usr',
    'usr/bin',
    'usr/bin/a',
    'usr/bin/b',
    'usr/lib',
    'usr/lib/x',
    'usr/lib/x/y',
    'node',
  ]);
});
