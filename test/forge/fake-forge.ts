/**
 * A forge on loopback that answers as GitHub, GitLab or Gitea document it, as far as coppice asks: written from the
 * documentation, with its own numbers and names. What it is asked is noted.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { ForgeKind } from '../../src/forge/forge.ts';

export interface FakePull {
  readonly number: number;
  readonly state: 'open' | 'closed' | 'merged';
  /** Oldest first; the last is the head. */
  readonly commits: readonly string[];
  readonly branch?: string;
  readonly base?: string;
  /** Whose fork it is from. */
  readonly fork?: string;
  /** Where the branch has gone after the merge. */
  readonly branchNow?: string;
  readonly mergeCommit?: string;
}

export interface FakeForge {
  readonly url: string;
  /** `http://127.0.0.1:PORT/team/project.git`, or deeper. */
  readonly remote: string;
  pulls: readonly FakePull[];
  /** Requests, in order. */
  readonly asked: { readonly path: string; readonly authorization: string | undefined }[];
  /** Answers instead, where it returns true. */
  instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
}

export const projects: Readonly<Record<ForgeKind, string>> = {
  github: 'team/project',
  gitlab: 'group/sub/project',
  gitea: 'team/project',
};

export async function fakeForge(kind: ForgeKind, pulls: readonly FakePull[] = []): Promise<FakeForge> {
  const asked: FakeForge['asked'] = [];
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? '', authorization: request.headers.authorization });
    if (forge.instead?.(request, response)) return;
    const url = new URL(request.url ?? '', forge.url);
    const items = answers[kind](url, forge.pulls);
    if (items === undefined) return json(response, 404, { message: 'Not Found' });
    sendPage(response, url, items);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const forge: FakeForge = { url, remote: `${url}/${projects[kind]}.git`, pulls, asked, instead: undefined };
  return forge;
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(JSON.stringify(body));
}

/** `Link` as all three send it: relations in quotes, absolute addresses. */
function sendPage(response: ServerResponse, url: URL, items: readonly unknown[]): void {
  const size = Number(url.searchParams.get('per_page') ?? url.searchParams.get('limit') ?? 30);
  const page = Number(url.searchParams.get('page') ?? 1);
  const linkTo = (number: number, relation: string) => {
    const to = new URL(url);
    to.searchParams.set('page', String(number));
    return `<${to.href}>; rel="${relation}"`;
  };
  const last = Math.max(1, Math.ceil(items.length / size));
  const link = page < last ? [linkTo(page + 1, 'next'), linkTo(last, 'last')] : [linkTo(1, 'first')];
  json(response, 200, items.slice((page - 1) * size, page * size), { link: link.join(', ') });
}

type Answer = (url: URL, pulls: readonly FakePull[]) => readonly unknown[] | undefined;

const headOf = ({ commits }: FakePull) => commits.at(-1) ?? '';
const branchOf = ({ branch = 'coppice/work' }: FakePull) => branch;
const withCommit = (pulls: readonly FakePull[], commit = '') => pulls.filter(({ commits }) => commits.includes(commit));
const closedOr = ({ state }: FakePull) => (state === 'open' ? 'open' : 'closed');

const github: Answer = ({ pathname, searchParams }, pulls) => {
  const path = pathname.match(/^\/api\/v3\/repos\/team\/project(\/.*)$/)?.[1] ?? '';
  const [, commit] = /^\/commits\/(\w+)\/pulls$/.exec(path) ?? [];
  const [, number] = /^\/pulls\/(\d+)\/commits$/.exec(path) ?? [];
  if (number !== undefined) {
    return pulls
      .find((each) => each.number === Number(number))
      ?.commits.map((sha) => ({ sha, commit: { message: 'm' } }));
  }
  if (commit !== undefined) return withCommit(pulls, commit).map(githubPull);
  if (path !== '/pulls') return undefined;
  const head = searchParams.get('head');
  return pulls.filter((each) => `${each.fork ?? 'team'}:${branchOf(each)}` === head).map(githubPull);
};

const githubPull = (pull: FakePull) => ({
  number: pull.number,
  html_url: `https://forge.example/team/project/pull/${pull.number}`,
  title: `Change ${pull.number}`,
  state: closedOr(pull),
  draft: false,
  merged_at: pull.state === 'merged' ? '2026-02-03T04:05:06Z' : null,
  // GitHub tries a merge for open ones and says what came of it.
  merge_commit_sha: pull.mergeCommit ?? 'e'.repeat(40),
  head: { label: `${pull.fork ?? 'team'}:${branchOf(pull)}`, ref: branchOf(pull), sha: headOf(pull), repo: null },
  base: { label: `team:${pull.base ?? 'main'}`, ref: pull.base ?? 'main', sha: 'b'.repeat(40) },
});

const gitlab: Answer = ({ pathname, searchParams }, pulls) => {
  const path = pathname.replace(`/api/v4/projects/${encodeURIComponent(projects.gitlab)}`, '');
  const [, commit] = /^\/repository\/commits\/(\w+)\/merge_requests$/.exec(path) ?? [];
  const [, number] = /^\/merge_requests\/(\d+)\/commits$/.exec(path) ?? [];
  if (number !== undefined) {
    return pulls
      .find((each) => each.number === Number(number))
      ?.commits.map((id) => ({ id, short_id: id.slice(0, 8) }));
  }
  if (commit !== undefined) {
    const found = withCommit(pulls, commit);
    return found.length === 0 ? undefined : found.map(mergeRequest);
  }
  if (path !== '/merge_requests') return undefined;
  return pulls.filter((each) => branchOf(each) === searchParams.get('source_branch')).map(mergeRequest);
};

const mergeRequest = (pull: FakePull) => ({
  id: pull.number + 9000,
  iid: pull.number,
  web_url: `https://forge.example/group/project/-/merge_requests/${pull.number}`,
  title: `Change ${pull.number}`,
  state: pull.state === 'open' ? 'opened' : pull.state,
  sha: headOf(pull),
  merge_commit_sha: null,
  squash_commit_sha: pull.mergeCommit ?? null,
  source_branch: branchOf(pull),
  target_branch: pull.base ?? 'main',
  source_project_id: pull.fork === undefined ? 3 : 4,
  target_project_id: 3,
});

const gitea: Answer = ({ pathname }, pulls) => {
  const path = pathname.match(/^\/api\/v1\/repos\/team\/project(\/.*)$/)?.[1] ?? '';
  const [, number] = /^\/pulls\/(\d+)\/commits$/.exec(path) ?? [];
  const [, reference] = /^\/git\/refs\/pull\/(\d+)\/head$/.exec(path) ?? [];
  const of = (text: string) => pulls.find((each) => each.number === Number(text));
  if (number !== undefined) return of(number)?.commits.map((sha) => ({ sha, url: '' }));
  if (reference !== undefined) {
    const pull = of(reference);
    return (
      pull && [{ ref: `refs/pull/${reference}/head`, url: '', object: { type: 'commit', sha: headOf(pull), url: '' } }]
    );
  }
  return path === '/pulls' ? pulls.map(giteaPull) : undefined;
};

const giteaPull = (pull: FakePull) => ({
  id: pull.number + 700,
  number: pull.number,
  html_url: `https://forge.example/team/project/pulls/${pull.number}`,
  title: `Change ${pull.number}`,
  state: closedOr(pull),
  merged: pull.state === 'merged',
  merged_at: pull.state === 'merged' ? '2026-02-03T04:05:06Z' : null,
  merge_commit_sha: pull.state === 'merged' ? (pull.mergeCommit ?? null) : null,
  // The branch as it is now, whatever was merged.
  head: { label: branchOf(pull), ref: branchOf(pull), sha: pull.branchNow ?? headOf(pull), repo_id: 1, repo: null },
  base: { label: pull.base ?? 'main', ref: pull.base ?? 'main', sha: 'b'.repeat(40), repo_id: 1 },
});

const answers: Readonly<Record<ForgeKind, Answer>> = { github, gitlab, gitea };
