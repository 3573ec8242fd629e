/** Gitea and Forgejo: the REST API v1 (docs.gitea.com/api; each instance serves its own at /api/swagger). */
import * as z from 'zod/mini';
import { type Oid, parseOid } from '../domain/oid.ts';
import type { Credential } from './credential.ts';
import type { Forge, PullRequest, PullRequestQuery } from './forge.ts';
import type { Api } from './http.ts';
import type { ForgePlace } from './place.ts';
import { commitList, newestFirst, oidIn, readAll } from './reading.ts';

const pullSchema = z.object({
  number: z.number(),
  html_url: z.string(),
  title: z.string(),
  state: z.enum(['open', 'closed']),
  merged: z.boolean(),
  merge_commit_sha: z.nullish(z.string()),
  /** `label`: the branch, also where it is deleted. `sha`: where the branch is now, also after the merge. */
  head: z.object({ label: z.string(), ref: z.string(), sha: z.string() }),
  base: z.object({ ref: z.string() }),
});
type Pull = z.infer<typeof pullSchema>;

const referenceSchema = z.object({ ref: z.string(), object: z.object({ sha: z.string() }) });

/** A helper may have the password itself, or a token in its place: both are taken as a login. */
export function giteaHeaders(credential: Credential | undefined): Readonly<Record<string, string>> {
  if (credential === undefined) return {};
  if (credential.kind === 'token') return { authorization: `token ${credential.token}` };
  const login = Buffer.from(`${credential.user}:${credential.password}`).toString('base64');
  return { authorization: `Basic ${login}` };
}

export function gitea(api: Api, { project }: ForgePlace, name: string): Forge {
  const path = `/repos/${project.split('/').map(encodeURIComponent).join('/')}`;
  // Nothing to filter by a branch with: they are listed once for all questions.
  let listed: Promise<readonly Pull[]> | undefined;
  const all = async () => {
    const query = { state: 'all', sort: 'recentupdate', limit: 50 };
    return readAll(api, path, pullSchema, await api.list(`${path}/pulls`, query));
  };
  return {
    kind: 'gitea',
    name,
    async findPullRequests({ branches, commit }: PullRequestQuery) {
      listed ??= all();
      const fits = ({ head }: Pull) => branches.includes(branchOf(head)) || head.sha === commit;
      const found = (await listed).filter(fits);
      return newestFirst(
        await Promise.all(found.map(async (pull) => pullRequest(pull, await headOf(api, path, pull)))),
      );
    },
    async commitsOf(number: number): Promise<readonly Oid[]> {
      const items = await api.list(`${path}/pulls/${number}/commits`, {
        limit: 50,
        verification: 'false',
        files: 'false',
      });
      return commitList(api, path, items);
    },
  };
}

/** `owner:branch` from a fork. */
function branchOf({ label }: Pull['head']): string {
  return label.slice(label.indexOf(':') + 1);
}

/** What was merged is where the pull request's own reference has stayed; the branch may have gone on since. */
async function headOf(api: Api, path: string, pull: Pull): Promise<Oid | undefined> {
  if (!pull.merged) return oidIn(pull.head.sha);
  const wanted = `refs/pull/${pull.number}/head`;
  const items = await api.list(`${path}/git/${wanted}`, {}, [404]);
  const found = readAll(api, path, referenceSchema, items).find(({ ref }) => ref === wanted);
  return found === undefined ? undefined : parseOid(found.object.sha);
}

function pullRequest(pull: Pull, head: Oid | undefined): PullRequest {
  return {
    number: pull.number,
    reference: `#${pull.number}`,
    url: pull.html_url,
    title: pull.title,
    state: pull.merged ? 'merged' : pull.state,
    head,
    branch: branchOf(pull.head),
    base: pull.base.ref,
    mergeCommit: pull.merged ? oidIn(pull.merge_commit_sha) : undefined,
  };
}
