/** The user's credentials for a registry, from where "docker login" put them. dockerode does not look there. */
import * as z from 'zod/mini';
import { run } from '../../platform/process.ts';
import { childEnvironment, type Surroundings } from '../../platform/surroundings.ts';
import { type DockerConfig, parseJson, readDockerConfig } from './docker-config.ts';

export interface Credentials {
  readonly serveraddress: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

/** The registry a reference names: what stands before the first slash, if it looks like a host. Else the engine's default. */
export function registryOf(reference: string): string | undefined {
  const [first = '', ...rest] = reference.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : undefined;
}

/** Undefined when the user has none for this registry: then the pull is anonymous. */
export async function credentialsFor(
  surroundings: Surroundings,
  reference: string,
  defaultRegistry: () => Promise<string | undefined>,
): Promise<Credentials | undefined> {
  const config = await readDockerConfig(surroundings);
  const registry = registryOf(reference) ?? (await defaultRegistry());
  if (registry === undefined) return undefined;
  const helper = config.credHelpers?.[registry] ?? config.credsStore;
  const stored = helper === undefined ? undefined : await fromHelper(surroundings, helper, registry);
  return stored ?? fromFile(config, registry);
}

function fromFile(config: DockerConfig, registry: string): Credentials | undefined {
  const entry = config.auths?.[registry] ?? config.auths?.[`https://${registry}`];
  if (entry?.identitytoken) return { serveraddress: registry, identitytoken: entry.identitytoken };
  const [, username, password] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(entry?.auth ?? '', 'base64').toString('utf8')) ?? [];
  return username === undefined || password === undefined ? undefined : { serveraddress: registry, username, password };
}

const answerSchema = z.object({ Username: z.string(), Secret: z.string() });

/** docker-credential-helpers' protocol: the registry on stdin, JSON on stdout, a status other than 0 for "none". */
async function fromHelper(
  surroundings: Surroundings,
  helper: string,
  registry: string,
): Promise<Credentials | undefined> {
  const answer = await run(`docker-credential-${helper}`, ['get'], {
    env: childEnvironment(surroundings),
    input: registry,
    timeout: 30_000,
  });
  const parsed = answer.status === 0 ? answerSchema.safeParse(parseJson(answer.stdout.toString('utf8'))) : undefined;
  if (!parsed?.success) return undefined;
  const { Username, Secret } = parsed.data;
  return Username === '<token>'
    ? { serveraddress: registry, identitytoken: Secret }
    : { serveraddress: registry, username: Username, password: Secret };
}
