import { describe, expect, it } from 'vitest';
import { parseMoment } from '../../src/domain/moment.ts';

const now = new Date('2026-03-04T05:06:07Z');

describe('parseMoment', () => {
  it.each([
    ['0s', '2026-03-04T05:06:07.000Z'],
    ['10m', '2026-03-04T04:56:07.000Z'],
    ['2h', '2026-03-04T03:06:07.000Z'],
    ['3d', '2026-03-01T05:06:07.000Z'],
    ['2026-01-31T12:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31 12:00:30.5+02:00', '2026-01-31T10:00:30.500Z'],
  ])('%s', (text, iso) => {
    expect(parseMoment(text, now)?.toISOString()).toBe(iso);
  });

  it('takes local time where no zone is given', () => {
    expect(parseMoment('2026-01-31T12:00', now)).toEqual(new Date(2026, 0, 31, 12));
    expect(parseMoment('2026-01-31', now)).toEqual(new Date(2026, 0, 31));
  });

  it.each(['', 'm', '10', '10 m', '-5m', '1w', '1234d', '12ab', 'main', '2026-13-01', '2026-01-31T25:00', '20260131'])(
    '%j is none',
    (text) => {
      expect(parseMoment(text, now)).toBe(undefined);
    },
  );
});
