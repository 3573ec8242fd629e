import { describe, expect, it } from 'vitest';
import { countConflicts } from '../../src/domain/conflict-markers.ts';

const count = (text: string) => countConflicts(Buffer.from(text, 'latin1'));
const one = '<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n';

describe('countConflicts', () => {
  it.each([
    ['a conflict', one, 1],
    ['with the base between', '<<<<<<< a\n1\n||||||| base\n2\n=======\n3\n>>>>>>> b\n', 1],
    ['two', `x\n${one}y\n${one}`, 2],
    ['CRLF', one.replaceAll('\n', '\r\n'), 1],
    ['no line end after it', one.trimEnd(), 1],
    ['one within another, as criss-cross merges leave it', `<<<<<<< a\n${one}=======\nb\n>>>>>>> c\n`, 1],
    ['a heading underlined', 'Title\n=======\ntext\n', 0],
    ['indented', one.replaceAll(/^/gm, '  '), 0],
    ['in the wrong order', '>>>>>>> b\n=======\n<<<<<<< a\n', 0],
    ['without a middle', '<<<<<<< a\n>>>>>>> b\n', 0],
    ['a middle that is longer', one.replace('=======', '========'), 0],
    ['without labels', '<<<<<<<\n=======\n>>>>>>>\n', 0],
    ['nothing', '', 0],
    ['binary', `\0${one}`, 0],
  ])('%s', (_, text, conflicts) => {
    expect(count(text)).toBe(conflicts);
  });
});
