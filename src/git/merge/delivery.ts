/** What delivering into a checkout of the user takes. */
import { realpath } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import type { Surroundings } from '../../platform/surroundings.ts';
import type { HostGit } from '../host-git.ts';
import type { Repository } from '../repository.ts';

export interface Delivery {
  readonly surroundings: Surroundings;
  readonly repository: Repository;
  readonly git: HostGit;
}

/** Whether a directory lies where environments are: there, git of the host reads and writes no file. */
export async function isInEnvironment(surroundings: Surroundings, directory: string): Promise<boolean> {
  const data = await realpath(surroundings.dataDirectory).catch(() => undefined);
  if (data === undefined) return false;
  const real = await realpath(directory).catch(() => directory);
  return relative(data, real).split(sep)[0] !== '..';
}
