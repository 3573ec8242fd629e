/**
 * Replaces secrets in a stream of bytes, wherever it is cut into chunks: an automaton over all of their forms (Aho and
 * Corasick, CACM 18(6), 1975). Bytes are held back only as long as they could be the beginning of a secret.
 */
import { formsOf } from './secret-forms.ts';

export interface Mask {
  /** What can be shown by now. */
  push(chunk: Buffer): Buffer;
  /** What was held back. */
  end(): Buffer;
}

export interface Masking {
  /**
   * `interactive`: the beginning of what could become a secret is shown at the end of a chunk as long as it is at most
   * three bytes: otherwise what is typed in a terminal would appear a key late.
   */
  stream(options?: { readonly interactive?: boolean }): Mask;
  text(text: string): string;
}

const stars = Buffer.from('***');
const mostShown = 3;

/** Nothing to hide. */
const asItIs: Masking = {
  stream: () => ({ push: (chunk) => chunk, end: () => Buffer.alloc(0) }),
  text: (text) => text,
};

/** Values shorter than 6 bytes are left as they are. */
export function maskingOf(values: readonly Buffer[]): Masking {
  const patterns = values.flatMap((value) => formsOf(value).map(({ bytes }) => bytes));
  if (patterns.length === 0) return asItIs;
  const automaton = automatonOf(patterns);
  const stream: Masking['stream'] = ({ interactive = false } = {}) => openMask(automaton, interactive);
  return {
    stream,
    text(text) {
      const mask = stream();
      return Buffer.concat([mask.push(Buffer.from(text)), mask.end()]).toString('utf8');
    },
  };
}

interface Automaton {
  /** Bytes that occur in no pattern are class 0. */
  readonly classOf: Uint16Array;
  readonly classes: number;
  /** State and class → state; state 0 is the start. */
  readonly next: Int32Array;
  /** How much of a pattern a state stands for: the bytes that may still become one. */
  readonly depth: Int32Array;
  /** Length of the longest pattern that ends in a state; 0 for none. */
  readonly match: Int32Array;
}

function openMask(automaton: Automaton, interactive: boolean): Mask {
  const { classOf, classes, next, depth, match } = automaton;
  let state = 0;
  /** Not shown yet; which of its bytes are part of a secret is in `marks`. */
  let pending: Buffer = Buffer.alloc(0);
  let marks: Uint8Array = new Uint8Array(0);
  /** The last thing shown were stars: a secret that goes on is not shown as two. */
  let starred = false;

  const show = (bytes: Buffer, marked: Uint8Array): Buffer => {
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const from = at;
      const mark = marked[at];
      while (at < bytes.length && marked[at] === mark) at += 1;
      if (mark === 0) parts.push(bytes.subarray(from, at));
      else if (!starred) parts.push(stars);
      starred = mark !== 0;
    }
    return Buffer.concat(parts);
  };

  return {
    push(chunk) {
      const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const marked = new Uint8Array(bytes.length);
      marked.set(marks);
      for (let at = pending.length; at < bytes.length; at += 1) {
        state = next[state * classes + (classOf[bytes[at] ?? 0] ?? 0)] ?? 0;
        const length = match[state] ?? 0;
        if (length > 0) marked.fill(1, Math.max(0, at + 1 - length), at + 1);
      }
      const reach = depth[state] ?? 0;
      let keep = interactive && reach <= mostShown ? 0 : Math.min(reach, bytes.length);
      // What is hidden in any case need not wait.
      while (keep > 0 && marked[bytes.length - keep] === 1) keep -= 1;
      const shown = show(bytes.subarray(0, bytes.length - keep), marked);
      pending = Buffer.from(bytes.subarray(bytes.length - keep));
      marks = marked.slice(bytes.length - keep);
      return shown;
    },
    end() {
      const shown = show(pending, marks);
      pending = Buffer.alloc(0);
      marks = new Uint8Array(0);
      state = 0;
      return shown;
    },
  };
}

function automatonOf(patterns: readonly Buffer[]): Automaton {
  const classOf = new Uint16Array(256);
  let classes = 1;
  for (const byte of new Set(patterns.flatMap((pattern) => [...pattern]))) {
    classOf[byte] = classes;
    classes += 1;
  }
  const most = patterns.reduce((sum, { length }) => sum + length, 1);
  const next = new Int32Array(most * classes);
  const depth = new Int32Array(most);
  const match = new Int32Array(most);
  let states = 1;
  for (const pattern of patterns) {
    let state = 0;
    for (const byte of pattern) {
      const edge = state * classes + (classOf[byte] ?? 0);
      if (next[edge] === 0) {
        depth[states] = (depth[state] ?? 0) + 1;
        next[edge] = states;
        states += 1;
      }
      state = next[edge] ?? 0;
    }
    match[state] = pattern.length;
  }
  joinSuffixes({ classes, next, match }, states);
  return { classOf, classes, next, depth, match };
}

/** Breadth first: where a pattern cannot go on, its longest suffix that begins another does. */
function joinSuffixes({ classes, next, match }: Pick<Automaton, 'classes' | 'next' | 'match'>, states: number): void {
  const suffix = new Int32Array(states);
  const queue: number[] = [];
  for (let each = 0; each < classes; each += 1) {
    const child = next[each] ?? 0;
    if (child !== 0) queue.push(child);
  }
  for (let at = 0; at < queue.length; at += 1) {
    const state = queue[at] ?? 0;
    const shorter = suffix[state] ?? 0;
    match[state] = Math.max(match[state] ?? 0, match[shorter] ?? 0);
    for (let each = 0; each < classes; each += 1) {
      const child = next[state * classes + each] ?? 0;
      const elsewhere = next[shorter * classes + each] ?? 0;
      if (child === 0) next[state * classes + each] = elsewhere;
      else {
        suffix[child] = elsewhere;
        queue.push(child);
      }
    }
  }
}
