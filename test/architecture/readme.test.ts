/** README says what the operations are. `COPPICE_UPDATE_README=1 npx vitest run test/architecture/readme.test.ts` rewrites it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { catalog, operationNames } from '../../src/operations/catalog.ts';
import type { AnyOperation } from '../../src/operations/operation.ts';
import { fieldsOf } from '../../src/operations/shape.ts';
import { version } from '../../src/version.ts';

const file = resolve(import.meta.dirname, '../../README.md');
const section = /(<!-- commands: made from the operations -->\n)([\s\S]*?)(<!-- \/commands -->)/;

async function commandsInMarkdown(): Promise<string> {
  const rows = ['| command | what it does |', '|---|---|'];
  const options: string[] = [];
  for (const name of operationNames) {
    const operation: AnyOperation = await catalog[name]();
    rows.push(`| \`coppice ${usageOf(operation)}\` | ${operation.summary} |`);
    options.push(...optionsOf(operation));
  }
  return `${[...rows, '', ...options].join('\n')}\n`;
}

function usageOf(operation: AnyOperation): string {
  const fields = fieldsOf(operation);
  const positional = fields
    .filter(({ place }) => place === 'argument')
    .map(({ value, required, type }) => ({ required, value: type === 'list' ? `${value}…` : value }))
    .map(({ value, required }) => (required ? value : `[${value}]`));
  const rest = fields.filter(({ place }) => place === 'rest').map(({ value }) => `-- ${value}…`);
  const required = fields
    .filter(({ place, required }) => place === undefined && required)
    .map(({ short, option, value }) => `${short ?? option} ${value}`);
  return [operation.name, ...positional, ...required, ...rest].join(' ');
}

function optionsOf(operation: AnyOperation): readonly string[] {
  const options = fieldsOf(operation).filter(({ place }) => place === undefined);
  if (options.length === 0) return [];
  const items = options.map(({ short, option, value, type, help }) => {
    const names = [...(short === undefined ? [] : [short]), option].join(', ');
    return `- \`${names}${type === 'boolean' ? '' : ` ${value}`}\` ${help}`;
  });
  return [`**\`coppice ${operation.name}\`**`, '', ...items, ''];
}

it('lists every command and option', async () => {
  const readme = readFileSync(file, 'utf8');
  const wanted = await commandsInMarkdown();
  if (process.env.COPPICE_UPDATE_README)
    writeFileSync(
      file,
      readme.replace(section, (_, open, __, close) => `${open}${wanted}${close}`),
    );
  else expect(section.exec(readme)?.[2]).toBe(wanted);
});

it('has the version of package.json in the program', () => {
  const manifest = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'));
  expect(version).toBe(manifest.version);
});
