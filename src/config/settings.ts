/** The user's own settings: `$XDG_CONFIG_HOME/coppice/config.json`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { isRefName } from '../domain/ref-name.ts';
import { allowSchema, holdLimits, limitsSchema, specSchema } from '../domain/spec.ts';
import { parseSettings } from './explain.ts';

export const settingsSchema = z.strictObject({
  /** OCI image of environments whose repository names none. */
  image: specSchema.shape.image,
  runtime: specSchema.shape.runtime,
  limits: z.optional(limitsSchema),
  network: specSchema.shape.network,
  /** On top of what a repository asks for, in every environment. */
  secrets: specSchema.shape.secrets,
  mounts: specSchema.shape.mounts,
  /** `off`: nothing is watched in the background, checkpoints are made when a command is run. */
  daemon: z.optional(z.enum(['auto', 'off'])),
  /** What branches begin with; it ends in `/`. Default `coppice/`. */
  branchPrefix: z.optional(
    z.string().check(
      z.refine((prefix) => isBranchPrefix(prefix), {
        error: 'must end in / and begin a branch name git accepts, such as "agents/"',
      }),
    ),
  ),
  /** What of the changed files is held: not checkpointed, but reported. Those over the limits, and those with secrets. */
  hold: z.optional(
    z.strictObject({
      ...holdLimits,
      /** `off`: what looks like a secret is checkpointed like anything else. Default `on`. */
      secrets: z.optional(z.enum(['on', 'off'])),
      /** Paths that may look like a secret, in every repository; on top of what the repository's own file allows. */
      allow: z.optional(allowSchema),
    }),
  ),
});
export type UserSettings = z.infer<typeof settingsSchema>;

export function settingsPath(configDirectory: string): string {
  return join(configDirectory, 'config.json');
}

/** No file is no settings. Throws `bad-settings` (kind `usage`). */
export async function loadSettings(configDirectory: string): Promise<UserSettings> {
  const path = settingsPath(configDirectory);
  const text = await readIfThere(path);
  return text === undefined ? {} : parseSettings(text, settingsSchema, { name: path, code: 'bad-settings' });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === undefined) throw error;
    throw new CoppiceError('usage', 'bad-settings', `${path} cannot be read (${String(code)}).`, {
      hint: 'Make it a file you may read, or remove it.',
      cause: error,
    });
  }
}

function isBranchPrefix(prefix: string): boolean {
  return prefix.endsWith('/') && !prefix.startsWith('-') && isRefName(`refs/heads/${prefix}name`);
}
