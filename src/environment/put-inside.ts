/** Puts into a git directory made anew what was in the one before it: other branches, and the stash in its order, under its words. */
import { CoppiceError } from '../domain/error.ts';
import { type RefName, shortName } from '../domain/ref-name.ts';
import type { Ref } from '../git/repository.ts';
import { incomingRef } from './commit.ts';
import { layoutOf, pipeInto, runInside, runningContainer } from './container.ts';
import type { Environment } from './environment.ts';
import { noteHint } from './import-commits.ts';
import type { Report, Workplace } from './workplace.ts';

/**
 * Needs the running container. What cannot be put back stays at its reference, and that is said: it is no reason to have
 * nothing back.
 */
export async function putInside(workplace: Workplace, environment: Environment, report: Report): Promise<void> {
  const { prefix } = environment.refs;
  const branches = await workplace.repository.listRefs(`${prefix}heads/`);
  const stashes = await workplace.repository.listRefs(`${prefix}stashes/`);
  if (branches.length + stashes.length === 0) return;
  try {
    await putBranches(workplace, environment, branches);
    await putStashes(workplace, environment, stashes);
    await noteHint(workplace, environment);
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    report(`Other branches and stashes could not be put back; they are at ${prefix}: ${error.message}`);
  }
}

async function inside(workplace: Workplace, environment: Environment) {
  const { runtime, container } = await runningContainer(workplace, environment);
  const { git, tree } = await layoutOf(workplace, environment, runtime);
  return { runtime, container, git, tree, open: pipeInto(runtime, container.id) };
}

async function putBranches(workplace: Workplace, environment: Environment, branches: readonly Ref[]): Promise<void> {
  if (branches.length === 0) return;
  const { open, git } = await inside(workplace, environment);
  const from = `${environment.refs.prefix}heads/`.length;
  const own = `refs/heads/${shortName(environment.refs.branch)}`;
  const refs = branches.map(({ name, oid }) => ({ ref: `refs/heads/${name.slice(from)}`, oid }));
  await workplace.transport.pushAll(
    open,
    git,
    refs.filter(({ ref }) => ref !== own),
  );
}

async function putStashes(workplace: Workplace, environment: Environment, stashes: readonly Ref[]): Promise<void> {
  if (stashes.length === 0) return;
  const { repository, transport } = workplace;
  const { runtime, container, git, tree, open } = await inside(workplace, environment);
  const place = (name: RefName) => Number(name.slice(`${environment.refs.prefix}stashes/`.length));
  for (const { oid, name } of [...stashes].sort((one, other) => place(one.name) - place(other.name))) {
    await transport.push(open, git, oid, incomingRef);
    const [subject = ''] = (await repository.readCommit(oid)).message.split('\n');
    const command = ['sh', '-c', storeScript, subject, oid];
    const { status, stderr } = await runInside(runtime, container.id, command, { workdir: tree });
    if (status === 0) continue;
    throw new CoppiceError('failed', 'stash-refused', `git inside does not take the stash ${name}: ${stderr.trim()}`);
  }
}

const storeScript = `git stash store -q -m "$0" "$1"; status=$?; git update-ref -d ${incomingRef}; exit $status`;
