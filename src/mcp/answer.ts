/** What a call comes to: text for people and models, and the same document as `--json` prints. */
import { forTerminal, visible } from '../domain/terminal-text.ts';
import { failureOf } from '../operations/failure.ts';
import type { AnyOperation } from '../operations/operation.ts';
import { plainStyle } from '../operations/views.ts';
import type { CallToolResult } from './sdk.ts';

/** Characters of one text: more fills a model's context for little. The document has all of it. */
const longest = 40_000;

interface Said {
  readonly narration: readonly string[];
  readonly notes: readonly string[];
}

export function answerOf(operation: AnyOperation, output: object, { narration, notes }: Said): CallToolResult {
  const text = operation.renderWhole?.(output) ?? operation.render(output, plainStyle);
  const schema = `coppice.${operation.name}/${operation.version}`;
  return {
    content: contentOf([forTerminal(text), visible(narration.join('\n')), notesText(notes)], 'Done.'),
    structuredContent: { schema, ...output, ...(notes.length > 0 ? { notes: [...notes] } : {}) },
  };
}

export function failedAnswer(error: unknown, { narration, notes }: Said): CallToolResult {
  const { document, text } = failureOf(error, plainStyle);
  return {
    isError: true,
    content: contentOf([text, visible(narration.join('\n')), notesText(notes)], ''),
    structuredContent: { ...document, ...(notes.length > 0 ? { notes: [...notes] } : {}) },
  };
}

function contentOf(texts: readonly string[], otherwise: string): CallToolResult['content'] {
  const said = texts.map((text) => text.trimEnd()).filter((text) => text !== '');
  return (said.length === 0 ? [otherwise] : said).map((text) => ({ type: 'text', text: shortened(text) }));
}

function notesText(notes: readonly string[]): string {
  return notes.map((note) => `Note: ${note}`).join('\n');
}

/** The beginning says what it is about, the end how it ended. */
function shortened(text: string): string {
  if (text.length <= longest) return text;
  const half = longest / 2;
  return `${text.slice(0, half)}\n… ${text.length - longest} characters left out …\n${text.slice(-half)}`;
}
