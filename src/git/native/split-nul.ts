/** Takes apart what git's `-z` prints. Pure. */

/** Fields that each end in NUL; what follows the last NUL, if anything, is a field too. */
export function splitNul(output: Buffer): readonly Buffer[] {
  const fields: Buffer[] = [];
  for (let at = 0; at < output.length; ) {
    const nul = output.indexOf(0, at);
    const end = nul < 0 ? output.length : nul;
    fields.push(output.subarray(at, end));
    at = end + 1;
  }
  return fields;
}

/** Walks over such fields in order. */
export interface Fields {
  /** The next one; empty after the last. */
  next(): Buffer;
  text(): string;
  readonly done: boolean;
}

export function fieldsOf(output: Buffer): Fields {
  const fields = splitNul(output);
  let at = 0;
  const next = () => fields[at++] ?? Buffer.alloc(0);
  return {
    next,
    text: () => next().toString('utf8'),
    get done() {
      return at >= fields.length;
    },
  };
}
