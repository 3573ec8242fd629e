/** What the adapters read alike: lists held to their documented shape, object names, order. */
import * as z from 'zod/mini';
import { isOid, type Oid } from '../domain/oid.ts';
import type { PullRequest } from './forge.ts';
import type { Api } from './http.ts';

/** One item that is not as documented spoils all: a part might be what matters. */
export function readAll<Schema extends z.ZodMiniType>(
  api: Api,
  path: string,
  schema: Schema,
  items: readonly unknown[],
): readonly z.infer<Schema>[] {
  const parsed = z.array(schema).safeParse(items);
  if (parsed.success) return parsed.data as readonly z.infer<Schema>[];
  throw api.odd(path, parsed.error);
}

export function oidIn(text: string | null | undefined): Oid | undefined {
  return text !== null && text !== undefined && isOid(text) ? text : undefined;
}

/** `sha` on GitHub and Gitea, `id` on GitLab. */
const commitSchema = z.union([z.object({ sha: z.string() }), z.object({ id: z.string() })]);

export function commitList(api: Api, path: string, items: readonly unknown[]): readonly Oid[] {
  return readAll(api, path, commitSchema, items).flatMap((item) => oidIn('sha' in item ? item.sha : item.id) ?? []);
}

/** Forges count questions: there is none left where the commit itself was merged. */
export function isAnswered(pulls: readonly PullRequest[], commit: Oid): boolean {
  return pulls.some(({ state, head }) => state === 'merged' && head === commit);
}

/** Each once. */
export function newestFirst(pulls: readonly PullRequest[]): readonly PullRequest[] {
  const byNumber = new Map(pulls.map((pull) => [pull.number, pull]));
  return [...byNumber.values()].sort((one, other) => other.number - one.number);
}
