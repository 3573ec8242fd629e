/** Puts what was stashed in a removed environment back on its stash, in the same order and under the same words. */
import { incomingRef } from './commit.ts';
import { layoutOf, pipeInto, runInside, runningContainer } from './container.ts';
import type { Environment } from './environment.ts';
import { noteHint } from './import-commits.ts';
import type { Report, Workplace } from './workplace.ts';

/** What cannot be put back stays at its reference, and that is said: it is no reason to restore nothing. */
export async function putStashes(workplace: Workplace, environment: Environment, report: Report): Promise<void> {
  const { repository, transport } = workplace;
  const prefix = `${environment.refs.prefix}stashes/`;
  const place = (name: string) => Number(name.slice(prefix.length));
  const stashes = [...(await repository.listRefs(prefix))].sort((one, other) => place(one.name) - place(other.name));
  if (stashes.length === 0) return;
  const { runtime, container } = await runningContainer(workplace, environment);
  const { git, tree } = await layoutOf(workplace, environment, runtime);
  for (const { name, oid } of stashes) {
    await transport.push(pipeInto(runtime, container.id), git, oid, incomingRef);
    const [subject = ''] = (await repository.readCommit(oid)).message.split('\n');
    const command = ['sh', '-c', storeScript, subject, oid];
    const { status } = await runInside(runtime, container.id, command, { workdir: tree });
    if (status !== 0) report(`a stash could not be put back; it is at ${name}`);
  }
  await noteHint(workplace, environment);
}

const storeScript = `git stash store -q -m "$0" "$1"; status=$?; git update-ref -d ${incomingRef}; exit $status`;
