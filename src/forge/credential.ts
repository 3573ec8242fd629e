/** Who to be at a forge: a token from the caller's environment where it is meant for that host, else what git itself would use. */
import type { ForgeKind } from './forge.ts';
import type { ForgePlace } from './place.ts';

export type Credential =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'login'; readonly user: string; readonly password: string };

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * A variable is for one host, as with the forges' own tools: the forge's public one, or the one that another variable names.
 * A token for one host is never shown to another.
 */
export function tokenFrom(env: Variables, { kind, web }: Pick<ForgePlace, 'kind' | 'web'>): string | undefined {
  const { host } = new URL(web);
  const names = variablesFor(env, kind, host);
  return names.map((name) => env[name]).find((value) => value !== undefined && value !== '');
}

function variablesFor(env: Variables, kind: ForgeKind, host: string): readonly string[] {
  if (kind === 'gitlab') return hostIn(env.GITLAB_HOST, 'gitlab.com') === host ? ['GITLAB_TOKEN'] : [];
  if (kind === 'gitea') return hostIn(env.GITEA_SERVER_URL, 'gitea.com') === host ? ['GITEA_TOKEN'] : [];
  if (env.GITHUB_SERVER_URL !== undefined && env.GITHUB_SERVER_URL !== '') {
    // In a workflow; GH_TOKEN is then usually the same.
    return hostIn(env.GITHUB_SERVER_URL, '') === host ? ['GH_TOKEN', 'GITHUB_TOKEN'] : [];
  }
  if (host === 'github.com' || host.endsWith('.ghe.com')) return ['GH_TOKEN', 'GITHUB_TOKEN'];
  return hostIn(env.GH_HOST, '') === host ? ['GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN'] : [];
}

/** A host, or a URL of it. */
function hostIn(value: string | undefined, otherwise: string): string {
  if (value === undefined || value === '') return otherwise;
  const url = value.includes('://') ? value : `https://${value}`;
  return URL.canParse(url) ? new URL(url).host : '';
}

/** How to get in, for the hint of an error. */
export function howToGetIn({ kind, web }: Pick<ForgePlace, 'kind' | 'web'>): string {
  const { host } = new URL(web);
  const own = {
    github:
      host === 'github.com' || host.endsWith('.ghe.com') ? 'GITHUB_TOKEN' : `GH_HOST=${host} and GH_ENTERPRISE_TOKEN`,
    gitlab: host === 'gitlab.com' ? 'GITLAB_TOKEN' : `GITLAB_HOST=${host} and GITLAB_TOKEN`,
    gitea: `GITEA_SERVER_URL=${web} and GITEA_TOKEN`,
  };
  return `Set ${own[kind]}, or let a git credential helper know ${web}.`;
}
