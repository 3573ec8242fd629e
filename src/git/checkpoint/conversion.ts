/** What a file's bytes become on their way into git: exactly what `git add` would store, without running anything. */
import type { Held } from '../../domain/change.ts';
import { isPointedAt, type LfsPointer, parseLfsPointer, pointerText, pointerTo } from '../lfs/pointer.ts';
import type { Attributes, AttributeValue } from './attribute-rules.ts';
import { isUtf8, toUtf8 } from './encodings.ts';
import { countEndings, crlfToLf, type EndingPolicy, keepsCrlf, losesEndings } from './line-endings.ts';
import type { Settings } from './settings.ts';

export type Converted =
  | { readonly kind: 'stored'; readonly content: Buffer /** What the content stands for. */; readonly lfs?: LfsPointer }
  /** The recorded content stands for this very file already. */
  | { readonly kind: 'same' }
  | { readonly kind: 'held'; readonly reason: Held['reason']; readonly detail: string };

export interface ConversionRequest {
  readonly content: Buffer;
  readonly attributes: Attributes;
  readonly settings: Settings;
  /** Whether there is a store for content of Git LFS. */
  readonly lfs: boolean;
  /** The blob recorded at the path now, if any. Only asked for where the answer depends on it. */
  readonly recorded: () => Promise<Buffer | undefined>;
}

/** The order is git's: filter, encoding, line endings, keywords. */
export async function convert(request: ConversionRequest): Promise<Converted> {
  const { content, attributes } = request;
  if (attributes.size === 0 && request.settings.autoCrlf === false) return { kind: 'stored', content };
  const filter = textOf(attributes.get('filter'));
  if (filter === 'lfs') {
    const verdict = await asPointer(request);
    if (verdict !== undefined) return verdict;
  } else if (filter !== undefined && request.settings.filters.has(filter)) {
    return held(`needs the filter ${printable(filter)}, which never runs on the host`);
  }
  const encoding = textOf(attributes.get('working-tree-encoding'));
  const encoded = encoding === undefined || encoding === '' || isUtf8(encoding) ? content : toUtf8(content, encoding);
  if (encoded === undefined) return held(`cannot be read as ${printable(encoding ?? '')}`);
  const ended = await convertEndings(encoded, request);
  if (ended === undefined) return held('core.safecrlf refuses to change its line endings');
  return { kind: 'stored', content: attributes.get('ident') === true ? collapseIdent(ended) : ended };
}

/** A pointer goes in as it is, and so does nothing; the file that the recorded pointer stands for is no change. */
async function asPointer(request: ConversionRequest): Promise<Converted | undefined> {
  if (request.content.length === 0 || parseLfsPointer(request.content) !== undefined) return undefined;
  const recorded = await request.recorded();
  const pointer = recorded === undefined ? undefined : parseLfsPointer(recorded);
  if (pointer !== undefined && isPointedAt(request.content, pointer)) return { kind: 'same' };
  if (!canPoint(request)) return held(noLfs);
  const made = pointerTo(request.content);
  return { kind: 'stored', content: pointerText(made), lfs: made };
}

/** Extensions of LFS transform the content first, by programs of anybody's. */
export function canPoint({ lfs, settings }: Pick<ConversionRequest, 'lfs' | 'settings'>): boolean {
  return lfs && !settings.lfsExtensions;
}

export const noLfs = 'belongs to Git LFS, which is not installed here';

/** undefined: refused by core.safecrlf. */
async function convertEndings(content: Buffer, request: ConversionRequest): Promise<Buffer | undefined> {
  const policy = endingPolicy(request.attributes, request.settings);
  if (policy.convert === 'never' || content.length === 0) return content;
  if (!request.settings.safeCrlf && !content.includes(0x0d)) return content;
  const counts = countEndings(content);
  let converts = counts.crlf > 0;
  if (policy.convert === 'auto') {
    if (counts.binary) return content;
    const recorded = converts ? await request.recorded() : undefined;
    if (recorded !== undefined && keepsCrlf(recorded)) converts = false;
  }
  if (request.settings.safeCrlf && losesEndings(counts, converts, policy)) return undefined;
  return converts ? crlfToLf(content) : content;
}

/** `crlf` is the old name of `text`; `eol` alone implies `text`. */
export function endingPolicy(attributes: Attributes, settings: Settings): EndingPolicy {
  const eol = textOf(attributes.get('eol'));
  const wanted = eol === 'lf' || eol === 'crlf' ? eol : undefined;
  const action = textAction(attributes.get('text')) ?? textAction(attributes.get('crlf'));
  const native = settings.autoCrlf === true || (settings.autoCrlf === false && settings.eol === 'crlf') ? 'crlf' : 'lf';
  switch (action) {
    case 'binary':
      return { convert: 'never', checkout: 'lf' };
    case 'auto':
      return { convert: 'auto', checkout: wanted ?? native };
    case 'input':
      return { convert: 'always', checkout: wanted ?? 'lf' };
    case 'text':
      return { convert: 'always', checkout: wanted ?? native };
    default:
      if (wanted !== undefined) return { convert: 'always', checkout: wanted };
      return {
        convert: settings.autoCrlf === false ? 'never' : 'auto',
        checkout: settings.autoCrlf === true ? 'crlf' : 'lf',
      };
  }
}

function textAction(value: AttributeValue | undefined): 'text' | 'binary' | 'auto' | 'input' | undefined {
  if (value === true) return 'text';
  if (value === false) return 'binary';
  const text = textOf(value);
  return text === 'auto' || text === 'input' ? text : undefined;
}

function textOf(value: AttributeValue | undefined): string | undefined {
  return typeof value === 'object' ? value.text : undefined;
}

/** `$Id: anything$` goes in as `$Id$`. */
function collapseIdent(content: Buffer): Buffer {
  if (!content.includes('$Id:')) return content;
  return Buffer.from(content.toString('latin1').replace(/\$Id:[^$\n]*\$/g, '$$Id$$'), 'latin1');
}

function held(detail: string): Converted {
  return { kind: 'held', reason: 'filter-missing', detail };
}

function printable(name: string): string {
  return JSON.stringify(Buffer.from(name, 'latin1').toString('utf8'));
}
