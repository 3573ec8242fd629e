/** What a server offers: everything an agent may have in a repository, or what touches one environment and no other. */
import type { AnyOperation } from '../operations/operation.ts';
import type { OfferedTool } from '../operations/tool.ts';

export interface Scope {
  /** The one environment that is bound to; undefined for the whole repository. */
  readonly environment: string | undefined;
}

type Facts = OfferedTool<string>;

/** Undefined where agents do not get the operation, or not in this scope. */
export function factsOf({ tool }: AnyOperation, { environment }: Scope): Facts | undefined {
  if ('withheld' in tool) return undefined;
  return environment === undefined || tool.bindable ? tool : undefined;
}

/** Inputs that there are not: those that agents do not have, and when bound those that name environments. */
export function absentInputs(operation: AnyOperation, facts: Facts, { environment }: Scope): ReadonlySet<string> {
  const bound = environment === undefined ? [] : [...Object.keys(impliedInputs(operation, environment))];
  const others = environment === undefined ? [] : (facts.others ?? []);
  return new Set([...Object.keys(facts.without ?? {}), ...bound, ...others]);
}

/** What a call always has when the server is bound. */
export function impliedInputs(operation: AnyOperation, environment: string): Readonly<Record<string, unknown>> {
  const shape = operation.input.def.shape as Readonly<Record<string, unknown>>;
  return {
    ...('name' in shape ? { name: environment } : {}),
    ...('names' in shape ? { names: [environment] } : {}),
  };
}
