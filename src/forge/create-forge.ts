/** The adapter for a place, with the credential in the headers that this forge takes it in. */
import { CoppiceError } from '../domain/error.ts';
import { type Credential, howToGetIn } from './credential.ts';
import type { Forge } from './forge.ts';
import { gitea, giteaHeaders } from './gitea.ts';
import { github, githubHeaders } from './github.ts';
import { gitlab, gitlabHeaders } from './gitlab.ts';
import { type ApiLimits, openApi } from './http.ts';
import type { ForgePlace } from './place.ts';

export interface ForgeOptions {
  readonly credential: Credential | undefined;
  /** Who asks: `coppice/1.2.3`. */
  readonly agent: string;
  readonly signal: AbortSignal;
  readonly limits?: Partial<ApiLimits>;
}

const adapters = {
  github: { open: github, headers: githubHeaders },
  gitlab: { open: gitlab, headers: gitlabHeaders },
  gitea: { open: gitea, headers: giteaHeaders },
};

export function nameOf({ web, project }: ForgePlace): string {
  return `${web.replace(/^https?:\/\//, '')}/${project}`;
}

/** Asks nobody yet. Throws `forge-insecure`, and `bad-token` (kind `usage`) for what no header can hold. */
export function createForge(place: ForgePlace, options: ForgeOptions): Forge {
  const { credential, agent, signal, limits } = options;
  const { open, headers } = adapters[place.kind];
  const given = headers(credential);
  refuseOddCredential(place, given);
  const secrets = [given.authorization?.split(' ')[1], ...secretsIn(credential)].filter((each) => each !== undefined);
  const api = openApi({
    url: place.api,
    name: nameOf(place),
    headers: { 'user-agent': agent, ...given },
    secrets,
    howToGetIn: howToGetIn(place),
    signal,
    ...(limits === undefined ? {} : { limits }),
  });
  return open(api, place, nameOf(place));
}

function secretsIn(credential: Credential | undefined): readonly string[] {
  if (credential === undefined) return [];
  return [credential.kind === 'token' ? credential.token : credential.password];
}

/** Node's own error would repeat it. */
function refuseOddCredential(place: ForgePlace, { authorization }: Readonly<Record<string, string>>): void {
  if (authorization === undefined || /^[\x20-\x7e]+$/.test(authorization)) return;
  throw new CoppiceError('usage', 'bad-token', `The token for ${nameOf(place)} has characters that no token has.`, {
    hint: howToGetIn(place),
  });
}
