/** The docker client's own configuration, which users expect to count: contexts and credentials. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { Surroundings } from '../../platform/surroundings.ts';

const dockerConfigSchema = z.object({
  currentContext: z.optional(z.string()),
  auths: z.optional(
    z.record(z.string(), z.object({ auth: z.optional(z.string()), identitytoken: z.optional(z.string()) })),
  ),
  credsStore: z.optional(z.string()),
  credHelpers: z.optional(z.record(z.string(), z.string())),
});
export type DockerConfig = z.infer<typeof dockerConfigSchema>;

/** The docker client's configuration; empty where there is none or it is not understood. */
export async function readDockerConfig(surroundings: Surroundings): Promise<DockerConfig> {
  const content = await readIfThere(join(dockerConfigDirectory(surroundings), 'config.json'));
  const parsed = content === undefined ? undefined : dockerConfigSchema.safeParse(parseJson(content));
  return parsed?.success ? parsed.data : {};
}

export function dockerConfigDirectory({ env, home }: Surroundings): string {
  return env.DOCKER_CONFIG || join(home, '.docker');
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return undefined;
    throw error;
  }
}

export function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    // Somebody else's file: broken is treated like absent.
    return undefined;
  }
}
