/** Nominal types: a `Brand<string, 'Oid'>` is a string that only its parser can make. */
declare const brand: unique symbol;

export type Brand<Base, Name extends string> = Base & {
  readonly [brand]: Name;
};
