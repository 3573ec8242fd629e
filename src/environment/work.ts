/** Everything an environment has, as one commit: its head, or a commit of the tail on top of it that no reference holds yet. */
import type { Oid } from '../domain/oid.ts';
import type { Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

/** `on`: what such a commit stands on. Default: the head. */
export async function workOf(workplace: Workplace, { name, record, at }: Environment, on = at.head): Promise<Oid> {
  const { repository } = workplace;
  const [tip, head] = await repository.readCommits([at.tip, on]);
  if (tip === undefined || tip.tree === head?.tree) return on;
  const author = (await repository.identity()) ?? record.author;
  const message = `${record.title ?? `Work of ${name}`}\n`;
  return repository.writeCommit({ tree: tip.tree, parents: [on], author, committer: author, message });
}
