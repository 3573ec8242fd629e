/** An environment as operations handle it: its record, and where everything of it is. */
import { directoriesOf, type EnvironmentDirectories } from '../domain/directories.ts';
import type { EnvironmentRecord } from '../domain/environment.ts';
import type { EnvironmentName } from '../domain/environment-name.ts';
import type { Oid } from '../domain/oid.ts';
import { type EnvironmentRefs, refsOf } from '../domain/ref-layout.ts';
import { parseRefName, type RefName } from '../domain/ref-name.ts';
import type { HoldRules } from '../domain/spec.ts';
import type { MergedWord } from './merged/word.ts';
import type { Workplace } from './workplace.ts';

export interface Environment {
  readonly name: EnvironmentName;
  readonly record: EnvironmentRecord;
  readonly refs: EnvironmentRefs;
  readonly directories: EnvironmentDirectories;
  /** Where its references were when it was read. */
  readonly at: {
    readonly tip: Oid;
    readonly base: Oid;
    readonly head: Oid;
    readonly record: Oid;
    readonly outside: Oid | undefined;
    readonly applied: Oid | undefined;
  };
  readonly target: RefName | undefined;
  /** The pull request that its work was merged with, as far as that is known here. */
  readonly word?: MergedWord;
}

export function refsOfRecord(record: EnvironmentRecord): EnvironmentRefs {
  return { ...refsOf(record.name), branch: parseRefName(record.branch) };
}

export function directoriesFor(workplace: Workplace, name: EnvironmentName): EnvironmentDirectories {
  return directoriesOf(workplace.surroundings.dataDirectory, workplace.repository.id, name);
}

export function checkpointerRequest(environment: Environment) {
  return {
    name: environment.name,
    branch: environment.refs.branch,
    directories: environment.directories,
    author: environment.record.author,
    hold: holdOf(environment),
  };
}

/** What the repository says of what is held. */
export function holdOf({ record }: { readonly record: Pick<EnvironmentRecord, 'spec'> }): HoldRules {
  return record.spec.hold ?? { allow: [] };
}

/** What the daemon knows it by: another for one made later under the same name, and for other settings of what is held. */
export function watchKeyOf(workplace: Workplace, environment: Environment): string {
  const { name, record } = environment;
  return [workplace.repository.id, name, record.createdAt, workplace.holdKey(checkpointerRequest(environment))].join(
    '/',
  );
}
