/** What each operation says of itself to agents, and the tools that are made of it. */
import { describe, expect, it } from 'vitest';
import { absentInputs, factsOf } from '../../src/mcp/scope.ts';
import { inputSchemaOf } from '../../src/mcp/tool-schema.ts';
import { catalog, operationNames } from '../../src/operations/catalog.ts';
import type { AnyOperation } from '../../src/operations/operation.ts';
import { fieldsOf } from '../../src/operations/shape.ts';

const everything = { environment: undefined };
const bound = { environment: 'login' };

const operations: readonly AnyOperation[] = await Promise.all(operationNames.map((name) => catalog[name]()));
const offered = operations.filter((operation) => factsOf(operation, everything) !== undefined);

describe('every operation', () => {
  it.each(operations)('$name is a tool, or says why not', (operation) => {
    const facts = factsOf(operation, everything);
    if ('withheld' in operation.tool) expect(operation.tool.withheld).not.toBe('');
    else expect(facts?.title).not.toBe('');
  });

  it('is withheld where only a person, or a terminal, can use it', () => {
    const withheld = operations.filter((operation) => 'withheld' in operation.tool).map(({ name }) => name);
    expect(withheld.sort()).toEqual(['approve', 'daemon', 'demo', 'mcp', 'shell', 'watch']);
  });

  it.each(offered)('$name names only inputs that it has', (operation) => {
    const keys = new Set(fieldsOf(operation).map(({ key }) => key));
    const facts = factsOf(operation, everything);
    const named = [...Object.keys(facts?.without ?? {}), ...Object.keys(facts?.asks ?? {}), ...(facts?.others ?? [])];
    expect(named.filter((key) => !keys.has(key))).toEqual([]);
  });
});

describe('what reaches for the machine', () => {
  const asks = (name: string) => {
    const operation = offered.find((each) => each.name === name);
    return Object.keys((operation && factsOf(operation, everything)?.asks) ?? {}).sort();
  };
  it('takes a person', () => {
    expect(asks('create')).toEqual([
      'allowHost',
      'allowRoot',
      'mount',
      'network',
      'runtime',
      'secret',
      'secretFile',
      'withChanges',
    ]);
    for (const name of ['merge', 'apply', 'land', 'resolve']) expect(asks(name)).toContain('refuseRuns');
    expect(asks('exec')).toEqual(['secret', 'secretFile']);
    expect(asks('start')).toEqual(['allowHost', 'network']);
    expect(asks('remove')).toEqual(['force']);
    expect(asks('prune')).toEqual(['dryRun']);
  });

  it('is never a file of this machine by its path', () => {
    const absent = (name: string) => {
      const operation = offered.find((each) => each.name === name);
      const facts = operation && factsOf(operation, everything);
      return operation && facts ? [...absentInputs(operation, facts, everything)].sort() : [];
    };
    expect(absent('merge')).toEqual(['hunks', 'patch']);
    expect(absent('exec')).toEqual(['showSecrets', 'tty']);
  });
});

describe('the schema of a tool', () => {
  it.each(offered)('of $name is the command line’s, without what agents do not have', (operation) => {
    const facts = factsOf(operation, everything);
    if (facts === undefined) throw new Error('it is offered');
    const schema = inputSchemaOf(operation, facts, everything) as unknown as Schema;
    const absent = absentInputs(operation, facts, everything);
    const wanted = fieldsOf(operation).filter(({ key }) => !absent.has(key));
    expect(Object.keys(schema.properties)).toEqual(wanted.map(({ key }) => key));
    for (const { key, help, choices } of wanted) {
      expect(schema.properties[key]?.description?.startsWith(help)).toBe(true);
      if (choices !== undefined) expect(schema.properties[key]?.enum).toEqual(choices);
    }
    expect(schema.required ?? []).toEqual(wanted.filter(({ required }) => required).map(({ key }) => key));
    expect(schema.additionalProperties).toBe(false);
  });

  it('says where a person is asked', () => {
    const create = offered.find(({ name }) => name === 'create');
    const facts = create && factsOf(create, everything);
    if (create === undefined || facts === undefined) throw new Error('it is offered');
    const { properties } = inputSchemaOf(create, facts, everything) as unknown as Schema;
    expect(properties.mount?.description).toMatch(/A person is asked\.$/);
    expect(properties.title?.description).not.toContain('A person');
  });
});

describe('a server bound to one environment', () => {
  const inIt = offered.filter((operation) => factsOf(operation, bound) !== undefined);

  it('has what touches nothing else', () => {
    expect(inIt.map(({ name }) => name).sort()).toEqual(
      ['blame', 'checkpoint', 'commit', 'conflicts', 'diff', 'exec', 'log', 'rewind', 'show', 'start', 'status'].concat(
        ['stop', 'sync'],
      ),
    );
  });

  it.each(inIt)('gives $name no way to name another', (operation) => {
    const facts = factsOf(operation, bound);
    if (facts === undefined) throw new Error('it is offered');
    const { properties } = inputSchemaOf(operation, facts, bound) as unknown as Schema;
    expect(Object.keys(properties)).not.toContain('name');
    expect(Object.keys(properties)).not.toContain('names');
    expect(Object.keys(properties)).not.toContain('all');
  });
});

interface Schema {
  readonly properties: Readonly<Record<string, { readonly description?: string; readonly enum?: readonly string[] }>>;
  readonly required?: readonly string[];
  readonly additionalProperties: boolean;
}
