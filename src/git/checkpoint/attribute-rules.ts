/** The content of a .gitattributes file (or info/attributes), and what attributes a path gets from several of them. */

import { type PathPattern, parsePathPattern } from '../../domain/path-pattern.ts';
import { upToNul, withoutByteOrderMark } from './ignore-rules.ts';

/** Set, unset (`-text`), or set to a value; `!text` makes it as if nothing had been said. */
export type AttributeValue = true | false | 'unspecified' | { readonly text: string };
export type Attributes = ReadonlyMap<string, AttributeValue>;

interface Assignment {
  readonly name: string;
  readonly value: AttributeValue;
}

interface AttributeLine {
  readonly pattern: PathPattern;
  readonly assignments: readonly Assignment[];
}

export interface AttributeRules {
  readonly lines: readonly AttributeLine[];
  /** Named groups (`[attr]binary -diff -merge -text`), by name. */
  readonly macros: ReadonlyMap<string, readonly Assignment[]>;
}

/** One file's rules and the path that they see. */
export interface AttributeSource {
  readonly rules: AttributeRules;
  /** Relative to the directory of the rules. */
  readonly path: string;
}

/** Git ignores longer lines (ATTR_MAX_LINE_LENGTH), and so do later versions' checks of objects. */
const longestLine = 2048;
const blank = /[ \t\r\n]/;
const validName = /^[A-Za-z0-9._][A-Za-z0-9._-]*$/;

/** `macros`: whether the file may define any (the root's and the repository's own may). */
export function parseAttributeRules(
  content: string,
  options: { readonly ignoreCase: boolean; readonly macros: boolean },
): AttributeRules {
  const lines: AttributeLine[] = [];
  const macros = new Map<string, readonly Assignment[]>();
  for (const raw of withoutByteOrderMark(content).split('\n')) {
    const line = splitLine(upToNul(raw));
    if (line === undefined) continue;
    const assignments = line.states.map(parseAssignment);
    if (!assignments.every((assignment) => assignment !== undefined)) continue;
    if (line.macro) {
      if (options.macros && validName.test(line.name)) macros.set(line.name, assignments);
      continue;
    }
    const pattern = parsePathPattern(line.name, options.ignoreCase);
    if (!pattern.negative) lines.push({ pattern, assignments });
  }
  return { lines, macros };
}

/** Built into git. */
const builtIn: AttributeRules = parseAttributeRules('[attr]binary -diff -merge -text\n', {
  ignoreCase: false,
  macros: true,
});

/** `sources` from the strongest to the weakest. Attributes that nothing speaks of are absent. */
export function attributesOf(sources: readonly AttributeSource[], name: string): Attributes {
  const all = [...sources, { rules: builtIn, path: '' }];
  const found = new Map<string, AttributeValue>();
  const assign = (assignments: readonly Assignment[]) => {
    for (const { name: attribute, value } of assignments.toReversed()) {
      if (found.has(attribute)) continue;
      found.set(attribute, value);
      if (value !== true) continue;
      const macro = all.find(({ rules }) => rules.macros.has(attribute))?.rules.macros.get(attribute);
      if (macro !== undefined) assign(macro);
    }
  };
  for (const { rules, path } of all) {
    for (const { pattern, assignments } of rules.lines.toReversed()) {
      if (!pattern.directoryOnly && pattern.matches(pattern.anywhere ? name : path)) assign(assignments);
    }
  }
  return found;
}

interface SplitLine {
  readonly macro: boolean;
  readonly name: string;
  readonly states: readonly string[];
}

function splitLine(raw: string): SplitLine | undefined {
  if (raw.length >= longestLine) return undefined;
  const line = raw.replace(/^[ \t\r\n]+/, '');
  if (line === '' || line.startsWith('#')) return undefined;
  const quoted = line.startsWith('"') ? unquote(line) : undefined;
  const nameLength = quoted?.length ?? wordLength(line);
  const name = quoted?.text ?? line.slice(0, nameLength);
  const states = words(line.slice(nameLength));
  if (!name.startsWith('[attr]') || name.length === '[attr]'.length) return { macro: false, name, states };
  return { macro: true, name: words(name.slice('[attr]'.length))[0] ?? '', states };
}

function wordLength(text: string): number {
  const end = text.search(blank);
  return end < 0 ? text.length : end;
}

function words(text: string): readonly string[] {
  return text.split(/[ \t\r\n]+/).filter((word) => word !== '');
}

/** undefined makes git throw the whole line away. */
function parseAssignment(word: string): Assignment | undefined {
  const sign = word.startsWith('-') || word.startsWith('!') ? word[0] : undefined;
  const body = sign === undefined ? word : word.slice(1);
  const equals = body.indexOf('=');
  const name = equals < 0 ? body : body.slice(0, equals);
  if (!validName.test(name)) return undefined;
  if (sign === '-') return { name, value: false };
  if (sign === '!') return { name, value: 'unspecified' };
  return { name, value: equals < 0 ? true : { text: body.slice(equals + 1) } };
}

const escapes: ReadonlyMap<string, string> = new Map(
  Object.entries({ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', '"': '"' }),
);

/** A pattern in double quotes with C's escapes; undefined when it is not well formed. */
function unquote(line: string): { readonly text: string; readonly length: number } | undefined {
  let text = '';
  for (let at = 1; at < line.length; at++) {
    const character = line[at];
    if (character === '"') return { text, length: at + 1 };
    if (character !== '\\') {
      text += character;
      continue;
    }
    const octal = /^[0-3][0-7][0-7]/.exec(line.slice(at + 1, at + 4))?.[0];
    const simple = escapes.get(line[at + 1] ?? '');
    if (octal !== undefined) text += String.fromCharCode(Number.parseInt(octal, 8));
    else if (simple !== undefined) text += simple;
    else return undefined;
    at += octal === undefined ? 1 : 3;
  }
  return undefined;
}
