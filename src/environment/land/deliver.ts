/** What is done with a line that has passed: tails become commits, the last words are written, and what it brought is remembered. */
import type { EnvironmentName } from '../../domain/environment-name.ts';
import { CoppiceError, hasCode } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import { pooled } from '../../platform/pool.ts';
import { commitTail } from '../commit.ts';
import { readEnvironment } from '../find.ts';
import { mergeStart, noteDelivery } from '../merge/start.ts';
import { authorOf } from '../starting-point.ts';
import type { Workplace } from '../workplace.ts';
import type { Candidate, Refused } from './candidates.ts';
import { type Link, type Linked, tailMessage } from './chain.ts';
import type { Hooked } from './hooks.ts';

export interface CommittedTails {
  /** The candidate as it is by now. */
  now(candidate: Candidate): Candidate;
  readonly refused: readonly Refused[];
  /** Whether any has changed. */
  readonly moved: boolean;
}

/** What lands carries no checkpoint, as with `merge`. */
export async function commitTails(
  workplace: Workplace,
  { links }: Linked,
  { into, allowMarkers, noVerify }: { into: RefName; allowMarkers: boolean; noVerify: boolean },
): Promise<CommittedTails> {
  const newer = new Map<EnvironmentName, Candidate>();
  const refused: Refused[] = [];
  const author = await authorOf(workplace);
  const markers = allowMarkers ? ('allow' as const) : { newTo: into };
  for (const { candidate } of links) {
    const { environment } = candidate;
    if (environment.at.tip === environment.at.head) continue;
    try {
      const request = { message: tailMessage(candidate), author, noVerify, markers };
      const done = await commitTail(workplace, environment, request);
      newer.set(environment.name, { ...candidate, environment: done.environment, held: done.held });
    } catch (error) {
      if (!(error instanceof CoppiceError)) throw error;
      const now = hasCode(error, 'nothing-to-commit') ? await readEnvironment(workplace, environment.name) : undefined;
      if (now === undefined) refused.push({ name: environment.name, error });
      else newer.set(environment.name, { ...candidate, environment: now });
    }
  }
  return { now: (candidate) => newer.get(candidate.environment.name) ?? candidate, refused, moved: newer.size > 0 };
}

/** The same commits with what the hooks made of their messages, and with the user's signature where they want one. */
export async function written(
  workplace: Workplace,
  before: Oid,
  { links, after }: Linked,
  { runs }: Pick<Hooked, 'runs'>,
): Promise<{ readonly commit: Oid; readonly links: readonly Link[] }> {
  const { repository } = workplace;
  const sign = (await repository.config('commit.gpgSign')) === 'true';
  const messageOf = ({ name, message }: Link) => runs.get(name)?.message ?? message;
  if (!sign && links.every((link) => messageOf(link) === link.message)) return { commit: after, links };
  let on = before;
  const anew: Link[] = [];
  for (const link of links) {
    const { tree, parents, author, committer } = await repository.readCommit(link.commit);
    const message = messageOf(link);
    const commit = await repository.writeCommit({
      tree,
      parents: [on, ...parents.slice(1)],
      author,
      committer,
      message,
      sign,
    });
    anew.push({ ...link, before: on, commit, message });
    on = commit;
  }
  return { commit: on, links: anew };
}

/** Squashed work has no commit on the branch: later merges start from a note of it. */
export async function noteSquashed(
  workplace: Workplace,
  into: RefName,
  before: Oid,
  links: readonly Link[],
): Promise<void> {
  const { repository } = workplace;
  await pooled(links, 4, async ({ candidate: { environment }, commit: landed }) => {
    const { head } = environment.at;
    const start = await mergeStart(workplace, environment, into, before, head);
    if (start === undefined) return;
    const { tree } = await repository.readCommit(head);
    await noteDelivery(workplace, environment, into, { landed, head, start, tree });
  });
}
