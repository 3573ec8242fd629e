/** GitHub and GitHub Enterprise: the REST API, version 2022-11-28 (docs.github.com/rest/pulls, /rest/commits). */
import * as z from 'zod/mini';
import type { Oid } from '../domain/oid.ts';
import type { Credential } from './credential.ts';
import type { Forge, PullRequest, PullRequestQuery } from './forge.ts';
import type { Api } from './http.ts';
import type { ForgePlace } from './place.ts';
import { commitList, isAnswered, newestFirst, oidIn, readAll } from './reading.ts';

const pullSchema = z.object({
  number: z.number(),
  html_url: z.string(),
  title: z.string(),
  state: z.enum(['open', 'closed']),
  merged_at: z.nullable(z.string()),
  merge_commit_sha: z.nullish(z.string()),
  /** Stays what it was when the pull request was merged or closed. */
  head: z.object({ ref: z.string(), sha: z.string() }),
  base: z.object({ ref: z.string() }),
});

export function githubHeaders(credential: Credential | undefined): Readonly<Record<string, string>> {
  const token = credential?.kind === 'token' ? credential.token : credential?.password;
  return {
    accept: 'application/vnd.github+json',
    'x-github-api-version': '2022-11-28',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}

export function github(api: Api, { project }: ForgePlace, name: string): Forge {
  const path = `/repos/${project.split('/').map(encodeURIComponent).join('/')}`;
  const [ownOwner = ''] = project.split('/');
  const read = (items: readonly unknown[]) => readAll(api, path, pullSchema, items).map(pullRequest);
  return {
    kind: 'github',
    name,
    async findPullRequests({ branches, owners, commit }: PullRequestQuery) {
      const heads = [...new Set([ownOwner, ...owners])].flatMap((owner) =>
        branches.map((branch) => `${owner}:${branch}`),
      );
      const found: PullRequest[] = [];
      for (const head of heads) {
        const query = { state: 'all', head, sort: 'created', direction: 'desc', per_page: 100 };
        found.push(...read(await api.list(`${path}/pulls`, query)));
      }
      if (isAnswered(found, commit)) return newestFirst(found);
      // 404, 409 and 422: it does not know the commit. That the project is there was seen above.
      const byCommit = await api.list(`${path}/commits/${commit}/pulls`, { per_page: 100 }, [404, 409, 422]);
      return newestFirst([...found, ...read(byCommit)]);
    },
    async commitsOf(number: number): Promise<readonly Oid[]> {
      const items = await api.list(`${path}/pulls/${number}/commits`, { per_page: 100 });
      return commitList(api, path, items);
    },
  };
}

function pullRequest(pull: z.infer<typeof pullSchema>): PullRequest {
  const merged = pull.merged_at !== null;
  return {
    number: pull.number,
    reference: `#${pull.number}`,
    url: pull.html_url,
    title: pull.title,
    state: merged ? 'merged' : pull.state,
    head: oidIn(pull.head.sha),
    branch: pull.head.ref,
    base: pull.base.ref,
    // Of one that is not merged it is a merge somebody tried.
    mergeCommit: merged ? oidIn(pull.merge_commit_sha) : undefined,
  };
}
