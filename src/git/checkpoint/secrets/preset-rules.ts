/**
 * Runs rules of secretlint's recommended preset (MIT) on a text, in process. Without secretlint's own core: that one
 * records every call for profiling, for as long as the process lives. Large, so imported by the first search that needs it:
 * a static import would be loaded at every start of the bundled command line.
 */
import type { Finding } from './finding.ts';
import { presetTable } from './preset-table.ts';

/** A rule as secretlint's documentation of rules describes it, as far as it is used here. */
interface Rule {
  readonly meta: { readonly id: string };
  create(
    context: {
      createTranslator(): (messageId: string) => { readonly message: string; readonly messageId: string };
      report(found: { readonly range: readonly [number, number] }): void;
    },
    options: Readonly<Record<string, never>>,
  ): { file?(source: Source): void | Promise<void> };
}

interface Source {
  readonly filePath: string;
  readonly content: string;
  readonly ext: string;
  readonly contentType: 'text';
}

const idPrefix = '@secretlint/secretlint-rule-';

async function loadPreset(): Promise<readonly Rule[]> {
  return (await import('@secretlint/secretlint-rule-preset-recommend')).rules;
}

/** The names of all rules in the preset. */
export async function presetNames(): Promise<readonly string[]> {
  return (await loadPreset()).map(({ meta }) => meta.id.slice(idPrefix.length));
}

/** `fileName`: the last component of the path; some rules are for certain names only. No rule used opens it. */
export async function presetFindings(
  names: ReadonlySet<string>,
  fileName: string,
  text: string,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const rule of await loadPreset()) {
    const name = rule.meta.id.slice(idPrefix.length);
    const entry = presetTable.get(name);
    if (entry === undefined || !names.has(name)) continue;
    const context = {
      createTranslator: () => (messageId: string) => ({ message: '', messageId }),
      report({ range: [start, end] }: { readonly range: readonly [number, number] }) {
        findings.push({ kind: entry.kind, value: text.slice(start, end), index: start });
      },
    };
    await rule.create(context, {}).file?.({ filePath: fileName, content: text, ext: '', contentType: 'text' });
  }
  return findings;
}
