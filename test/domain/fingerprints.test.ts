import fc from 'fast-check';
import { expect, it } from 'vitest';
import { deniedHost } from '../../src/domain/denied-host.ts';
import { fingerprintsOf, openFingerprintSearch, openHostMask } from '../../src/domain/fingerprints.ts';
import { formsOf } from '../../src/domain/secret-forms.ts';

const key = Buffer.alloc(32, 7);

function searchFor(values: readonly string[]) {
  const secrets = values.map((value) => [...fingerprintsOf(key, Buffer.from(value))]);
  return openFingerprintSearch({ version: 1, key: key.toString('hex'), secrets });
}

it('finds what a search for the forms themselves would find, and where', () => {
  const values = ['secret', 'exactly 16 bytes', 'one that is longer than the window', 'two\nlines of it\n'];
  const forms = values.flatMap((value) => formsOf(Buffer.from(value)).map(({ bytes }) => bytes));
  const search = searchFor(values);
  const part = fc.oneof(
    fc.constantFrom(...forms.map((form) => form.toString('latin1'))),
    fc.constantFrom('secre', 'exactly 16 byte', 'one that is longer than the windo', 'one that is longer '),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const content = Buffer.from(parts.join(''), 'latin1');
      const places = forms.map((form) => content.indexOf(form)).filter((at) => at >= 0);
      const found = search(content).map(({ index }) => index);
      expect(found.toSorted((a, b) => a - b)).toEqual(places.toSorted((a, b) => a - b));
    }),
  );
});

it('does not look for what is too short, nor for encodings in what is large', () => {
  expect(searchFor(['short'])(Buffer.from('short'))).toEqual([]);
  const search = searchFor(['a-long-enough-secret']);
  const padding = Buffer.alloc(2 ** 20);
  const hex = Buffer.from(Buffer.from('a-long-enough-secret').toString('hex'));
  expect(search(Buffer.concat([padding, hex]))).toEqual([]);
  expect(search(hex)).toMatchObject([{ index: 0 }]);
  expect(search(Buffer.concat([padding, Buffer.from('a-long-enough-secret')]))).toMatchObject([{ index: 2 ** 20 }]);
});

it('hides what is in the name of a denied host, in lower case and cut off as well, which no file is held for', () => {
  const value = 'Ab3dEfGh1jKlMn0p"QrStUvWx';
  const secrets = [[...fingerprintsOf(key, Buffer.from(value))]];
  const known = { version: 1, key: key.toString('hex'), secrets } as const;
  const hide = openHostMask({ ...known, secrets });
  expect(hide(deniedHost(`${value.toLowerCase()}.evil.example`))).toBe('***.evil.example');
  expect(hide(deniedHost(`x.${value}.y.${value}`))).toBe('x.***.y.***');
  expect(hide(deniedHost(`${Buffer.from(value).toString('hex').toUpperCase()}.evil.example`))).toBe('***.evil.example');
  expect(hide(deniedHost(`${'a'.repeat(58)}.${value.toLowerCase()}.evil.example`))).toBe(`${'a'.repeat(58)}.***`);
  expect(hide(deniedHost('registry.example.org'))).toBe('registry.example.org');
  expect(openFingerprintSearch({ ...known, secrets })(Buffer.from(value.toLowerCase()))).toEqual([]);
});
