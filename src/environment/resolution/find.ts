/** Finds the environments that were made for a conflict. By their records, whatever they are called. */
import type { ConflictRecord } from '../../domain/environment.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Environment } from '../environment.ts';
import { findEnvironment, listEnvironments } from '../find.ts';
import type { Workplace } from '../workplace.ts';
import { otherName } from './conflict.ts';

export interface Resolution extends Environment {
  readonly record: Environment['record'] & { readonly conflict: ConflictRecord };
}

export function isResolution(environment: Environment): environment is Resolution {
  return environment.record.conflict !== undefined && environment.record.stage !== 'creating';
}

/** By record and not by name: one that has the name of an environment that is gone is another. */
export function isOf({ record: { conflict } }: Resolution, { name, record }: Environment): boolean {
  return conflict.environment === name && conflict.environmentCreatedAt === record.createdAt;
}

export async function openResolutions(workplace: Workplace, of?: Environment): Promise<readonly Resolution[]> {
  const all = (await listEnvironments(workplace)).filter(isResolution);
  return of === undefined ? all : all.filter((each) => isOf(each, of));
}

/** `name` is that of the environment with the conflict, or of the one made for it; without one, the only one under way. */
export async function findResolution(
  workplace: Workplace,
  name: string | undefined,
  other: string | undefined,
): Promise<Resolution> {
  const named = name === undefined ? undefined : await findEnvironment(workplace, name);
  if (named !== undefined && isResolution(named)) return named;
  const here = (await openResolutions(workplace)).find(({ directories }) =>
    `${workplace.surroundings.cwd}/`.startsWith(`${directories.tree}/`),
  );
  if (named === undefined && here !== undefined) return here;
  const open = (await openResolutions(workplace, named)).filter(
    ({ record }) => other === undefined || otherName(record.conflict) === other,
  );
  const [only] = open;
  if (only !== undefined && open.length === 1) return only;
  if (only === undefined) throw noneOpen(named?.name);
  throw new CoppiceError('usage', 'name-needed', `Say which resolution: there are ${open.length}.`, {
    hint: `One of: ${open.map((each) => each.name).join(', ')}.`,
    data: { environments: open.map((each) => each.name) },
  });
}

function noneOpen(name: string | undefined): CoppiceError {
  const what = name === undefined ? 'No conflict is being resolved here.' : `No conflict of ${name} is being resolved.`;
  return new CoppiceError('not-found', 'no-resolution', what, {
    hint: `\`coppice resolve ${name ?? 'NAME'}\` begins; what was put away comes back with \`coppice restore\`.`,
  });
}
