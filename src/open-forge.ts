/** Joins the forges to the user's git: remotes, settings and credentials are git's, and git resolves them. */
import { type RefName, shortName } from './domain/ref-name.ts';
import { createForge } from './forge/create-forge.ts';
import { type Credential, tokenFrom } from './forge/credential.ts';
import type { BranchForge, Forges } from './forge/forge.ts';
import { type ForgePlace, findPlace, parseRemote, type RemoteAddress, webAddressOf } from './forge/place.ts';
import type { HostGit } from './git/host-git.ts';
import { findLogin } from './git/native/credential.ts';
import { configFor, listRemotes, type Remote, type Upstream, upstreamOf } from './git/native/remotes.ts';
import type { UserPlace } from './git/native/user.ts';
import type { Repository } from './git/repository.ts';
import type { Surroundings } from './platform/surroundings.ts';
import { version } from './version.ts';

interface Tools {
  readonly git: HostGit;
  readonly repository: Repository;
  readonly surroundings: Surroundings;
  readonly place: UserPlace;
}

export function openForges(git: HostGit, repository: Repository, surroundings: Surroundings): Forges {
  const place = { directory: repository.commonDirectory, gitDirectory: repository.gitDirectory };
  const tools = { git, repository, surroundings, place };
  return { of: (branch, signal) => forgeOf(tools, branch, signal) };
}

async function forgeOf(tools: Tools, branch: RefName, signal: AbortSignal): ReturnType<Forges['of']> {
  const { git, place } = tools;
  const [remotes, upstream] = await Promise.all([listRemotes(git, place), upstreamOf(git, place, branch)]);
  const remote = remoteFor(remotes, upstream);
  if (remote === undefined) {
    const hint = `${shortName(branch)} has no upstream, and there are several remotes: \`git branch --set-upstream-to\` tells which`;
    return { none: remotes.length > 1 ? hint : null };
  }
  const address = parseRemote(remote.url);
  if (address === undefined) return { none: null };
  const found = await placeOf(tools, address);
  if ('none' in found) return found;
  const credential = await credentialFor(tools, found.place);
  const forge = createForge(found.place, { credential, agent: `coppice/${version}`, signal });
  const owners = remotes.flatMap(({ url }) => ownerIn(url, address) ?? []);
  return {
    forge,
    base: upstream?.branch.replace(/^refs\/heads\//, '') ?? shortName(branch),
    headsOf: async (head, tip) => ({ owners, branches: await namesThere(tools, remotes, head, tip) }),
  } satisfies BranchForge;
}

/** The upstream's, which may be given as a URL instead of a name; else the only one there is. */
function remoteFor(remotes: readonly Remote[], upstream: Upstream | undefined): Remote | undefined {
  const wanted = upstream?.remote;
  if (wanted === undefined || wanted === '.') return remotes.length === 1 ? remotes[0] : undefined;
  return remotes.find(({ name }) => name === wanted) ?? { name: wanted, url: wanted };
}

async function placeOf({ git, place }: Tools, address: RemoteAddress) {
  const url = webAddressOf(address);
  const [forge, forgeUrl] = await Promise.all([
    configFor(git, place, 'coppice.forge', url),
    configFor(git, place, 'coppice.forgeUrl', url),
  ]);
  return findPlace(address, { forge, forgeUrl });
}

async function credentialFor({ git, place, surroundings }: Tools, forge: ForgePlace): Promise<Credential | undefined> {
  const token = tokenFrom(surroundings.env, forge);
  if (token !== undefined) return { kind: 'token', token };
  const login = await findLogin(git, place, `${forge.web}/${forge.project}.git`);
  return login === undefined ? undefined : { kind: 'login', ...login };
}

/** Forks on the same host belong to whom the other remotes lead to. */
function ownerIn(url: string, { host }: RemoteAddress): string | undefined {
  const other = parseRemote(url);
  return other?.host === host ? other.path.at(-2) : undefined;
}

/** Its own name, the one it is pushed to, and where remotes were last seen to have the same commit. */
async function namesThere(
  { git, place, repository }: Tools,
  remotes: readonly Remote[],
  branch: RefName,
  tip: string,
): Promise<readonly string[]> {
  const prefixes = remotes.map(({ name }) => `refs/remotes/${name}/`);
  const [upstream, tracked] = await Promise.all([
    upstreamOf(git, place, branch),
    prefixes.length === 0 ? [] : repository.listRefs(...prefixes),
  ]);
  const seen = tracked.filter(({ oid }) => oid === tip).flatMap(({ name }) => afterPrefix(name, prefixes) ?? []);
  const pushed = upstream === undefined ? [] : [upstream.branch.replace(/^refs\/heads\//, '')];
  return [...new Set([shortName(branch), ...pushed, ...seen])];
}

function afterPrefix(name: string, prefixes: readonly string[]): string | undefined {
  const prefix = prefixes.find((each) => name.startsWith(each));
  const rest = prefix === undefined ? undefined : name.slice(prefix.length);
  return rest === 'HEAD' ? undefined : rest;
}
