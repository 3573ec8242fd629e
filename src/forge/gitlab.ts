/** GitLab: the REST API v4 (docs.gitlab.com/api/merge_requests, /api/commits). */
import * as z from 'zod/mini';
import type { Oid } from '../domain/oid.ts';
import type { Credential } from './credential.ts';
import type { Forge, PullRequest, PullRequestQuery } from './forge.ts';
import type { Api } from './http.ts';
import type { ForgePlace } from './place.ts';
import { commitList, isAnswered, newestFirst, oidIn, readAll } from './reading.ts';

const requestSchema = z.object({
  iid: z.number(),
  web_url: z.string(),
  title: z.string(),
  /** `locked`: being merged just now. */
  state: z.enum(['opened', 'closed', 'locked', 'merged']),
  /** The head of its last version; none comes after it is merged. */
  sha: z.nullish(z.string()),
  merge_commit_sha: z.nullish(z.string()),
  squash_commit_sha: z.nullish(z.string()),
  source_branch: z.string(),
  target_branch: z.string(),
});

/** Personal, project and OAuth tokens alike may be given this way; a password may not. */
export function gitlabHeaders(credential: Credential | undefined): Readonly<Record<string, string>> {
  const token = credential?.kind === 'token' ? credential.token : credential?.password;
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

export function gitlab(api: Api, { project }: ForgePlace, name: string): Forge {
  const path = `/projects/${encodeURIComponent(project)}`;
  const read = (items: readonly unknown[]) => readAll(api, path, requestSchema, items).map(pullRequest);
  return {
    kind: 'gitlab',
    name,
    /** Those from forks are among a branch's own. */
    async findPullRequests({ branches, commit }: PullRequestQuery) {
      const found: PullRequest[] = [];
      for (const branch of branches) {
        const query = { state: 'all', scope: 'all', source_branch: branch, per_page: 100 };
        found.push(...read(await api.list(`${path}/merge_requests`, query)));
      }
      if (isAnswered(found, commit)) return newestFirst(found);
      // It may not know the commit. That the project is there was seen above.
      const byCommit = await api.list(`${path}/repository/commits/${commit}/merge_requests`, { per_page: 100 }, [404]);
      return newestFirst([...found, ...read(byCommit)]);
    },
    async commitsOf(number: number): Promise<readonly Oid[]> {
      const items = await api.list(`${path}/merge_requests/${number}/commits`, { per_page: 100 });
      return commitList(api, path, items);
    },
  };
}

const states = { opened: 'open', locked: 'open', closed: 'closed', merged: 'merged' } as const;

function pullRequest(request: z.infer<typeof requestSchema>): PullRequest {
  const merged = request.state === 'merged';
  return {
    number: request.iid,
    reference: `!${request.iid}`,
    url: request.web_url,
    title: request.title,
    state: states[request.state],
    head: oidIn(request.sha),
    branch: request.source_branch,
    base: request.target_branch,
    // Neither, where the branch was only moved forward.
    mergeCommit: merged ? (oidIn(request.merge_commit_sha) ?? oidIn(request.squash_commit_sha)) : undefined,
  };
}
