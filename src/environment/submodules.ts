/**
 * What an agent does inside a submodule is on no branch of the repository: there, the recorded commit stays until somebody
 * commits another. So that nothing is lost, its files are checkpointed on a reference of their own, and commits made in it
 * are brought out by git inside. It is told as held until the submodule is again as it was recorded.
 */
import { createHash } from 'node:crypto';
import { type BytePath, bytePathFromText, bytesOf, textOf } from '../domain/byte-path.ts';
import type { Held } from '../domain/change.ts';
import { trailerValues } from '../domain/checkpoint.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import { isOid, type Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { FilledSubmodules } from '../git/worktree.ts';
import type { Container, Runtime } from '../runtime/runtime.ts';
import { findContainer, layoutOf, pipeInto, runInside } from './container.ts';
import { checkpointerRequest, type Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

interface Submodule {
  readonly path: BytePath;
  readonly slug: string;
  /** The commit that the branch records. */
  readonly recorded: Oid | undefined;
}

/** `paths`: the submodules that have files. What is told of them, and what of their files could not be kept. */
export async function saveSubmodules(
  workplace: Workplace,
  environment: Environment,
  paths: readonly BytePath[],
): Promise<readonly Held[]> {
  if (paths.length === 0) return [];
  const recorded = await gitlinks(workplace, environment.at.tip);
  const inside = await askable(workplace, environment);
  const held: Held[] = [];
  for (const path of paths) {
    const submodule = { path, slug: slugOf(path), recorded: recorded.get(path) };
    held.push(...(await save(workplace, environment, submodule, inside)));
  }
  return held;
}

/** A fresh environment's: what was filled in is as recorded, and whatever comes later is told by it. */
export async function beginSubmodules(
  workplace: Workplace,
  environment: Environment,
  filled: FilledSubmodules['filled'],
): Promise<void> {
  for (const { path, commit } of filled) {
    const known = await workplace.repository.readRef(environment.refs.module(slugOf(path), 'files'));
    // One of an earlier life is still what an agent made of it.
    if (known === undefined) await saveFiles(workplace, environment, path, commit);
  }
}

/** The files of one alone, for whoever watches: what is to be told, and its commits, the next command finds. */
export async function saveSubmoduleFiles(
  workplace: Workplace,
  environment: Environment,
  path: BytePath,
): Promise<void> {
  await saveFiles(workplace, environment, path);
}

async function save(
  workplace: Workplace,
  environment: Environment,
  submodule: Submodule,
  inside: Inside | undefined,
): Promise<readonly Held[]> {
  const { path, slug, recorded } = submodule;
  const files = await saveFiles(workplace, environment, path);
  if (files === undefined) return [];
  const state = inside === undefined ? undefined : await ask(inside, path);
  const head = state?.head === recorded ? undefined : state?.head;
  // Without a repository of its own nobody but the files can tell, if it is known what they were.
  const changed = state?.head === undefined ? files.changed : state.dirty;
  if (head === undefined && !changed) return files.held;
  const problem =
    head === undefined || inside === undefined || state === undefined
      ? undefined
      : await saveCommit(workplace, environment, { slug, inside, head, git: state.git });
  const what = [changed ? 'changed files' : '', head === undefined ? '' : `commit ${head.slice(0, 7)} checked out`];
  const kept = problem ?? `kept at ${environment.refs.prefix}modules/${slug}/`;
  const detail = `a submodule with ${what.filter((part) => part !== '').join(' and ')}: ${kept}`;
  return [{ path, reason: 'inside-submodule', detail }, ...files.held];
}

/** undefined when its directory has gone meanwhile. */
async function saveFiles(workplace: Workplace, environment: Environment, path: BytePath, recorded?: Oid) {
  const slug = slugOf(path);
  const branch = environment.refs.module(slug, 'files');
  const begun = (await workplace.repository.readRef(branch)) !== undefined;
  if (!begun) await begin(workplace, environment, { branch, path, recorded });
  const state = begun ? ('known' as const) : recorded === undefined ? ('first' as const) : ('pristine' as const);
  const wanted = { ...checkpointerRequest(environment), branch, submodule: { path, slug, state } };
  try {
    const checkpointer = await workplace.openCheckpointer(wanted);
    try {
      const { tip, held } = await checkpointer.checkpoint({ cause: `inside ${textOf(path)}` });
      const below = held.map((one) => ({ ...one, path: `${path}/${one.path}` as BytePath }));
      return { changed: await changedSinceFirst(workplace, tip), held: below };
    } finally {
      await checkpointer.close();
    }
  } catch (error) {
    if (!hasCode(error, 'submodule-gone')) throw error;
    return undefined;
  }
}

/** On the commit that the first look stands on, where that look saw what is recorded. */
const recordedTrailer = 'Coppice-Recorded-Commit';

/** An empty commit for the files to stand on. */
async function begin(
  workplace: Workplace,
  { record }: Environment,
  { branch, path, recorded }: { readonly branch: RefName; readonly path: BytePath; readonly recorded: Oid | undefined },
): Promise<void> {
  const { repository } = workplace;
  const { author } = record;
  const tree = await repository.emptyTree();
  const trailer = recorded === undefined ? '' : `\n${recordedTrailer}: ${recorded}\n`;
  const message = `Files of the submodule ${textOf(path)}\n${trailer}`;
  const commit = await repository.writeCommit({ tree, parents: [], author, committer: author, message });
  try {
    await repository.updateRefs([{ name: branch, before: null, after: commit }], 'coppice: submodule');
  } catch (error) {
    // Somebody else began it at the same moment.
    if (!hasCode(error, 'ref-moved')) throw error;
  }
}

/** Whether the files are others than at the first look, the commit on the empty one; if that is not known to be as recorded, they are. */
async function changedSinceFirst({ repository }: Workplace, tip: Oid): Promise<boolean> {
  const commits = await repository.log({ start: tip, firstParent: true });
  const [root, first] = [commits.at(-1), commits.at(-2)];
  if (root === undefined || trailerValues(root.message, recordedTrailer).length === 0) return true;
  return first !== undefined && first.tree !== commits[0]?.tree;
}

/** Where git can be asked: in the running container. */
interface Inside {
  readonly runtime: Runtime;
  readonly container: Container;
  readonly tree: string;
}

async function askable(workplace: Workplace, environment: Environment): Promise<Inside | undefined> {
  try {
    const container = await findContainer(workplace, environment);
    if (container?.state !== 'running') return undefined;
    const runtime = await workplace.runtime(environment.record.spec.runtime);
    return { runtime, container, tree: (await layoutOf(workplace, environment, runtime)).tree };
  } catch (error) {
    if (error instanceof CoppiceError && error.kind === 'unavailable') return undefined;
    throw error;
  }
}

interface State {
  /** undefined: no repository of its own. */
  readonly head: Oid | undefined;
  /** Its git directory, inside. */
  readonly git: string;
  readonly dirty: boolean;
}

/** Only a repository of its own answers for it, not the one around. */
const askScript =
  'test -e .git && git rev-parse -q --verify HEAD && git rev-parse --absolute-git-dir && git status --porcelain -uall | head -n 1; exit 0';

/** It is the agent's git that answers: good for what is told, never for what is kept. */
async function ask({ runtime, container, tree }: Inside, path: BytePath): Promise<State | undefined> {
  const text = textOf(path);
  if (bytePathFromText(text) !== path) return undefined;
  const done = await runInside(runtime, container.id, ['sh', '-c', askScript], { workdir: `${tree}/${text}` });
  if (done.status !== 0) return undefined;
  const [head = '', git = '', ...status] = done.stdout.split('\n');
  return { head: isOid(head) && git.startsWith('/') ? head : undefined, git, dirty: status.join('') !== '' };
}

/** Where its HEAD is, with its history. Returns one clause when that cannot be had. */
async function saveCommit(
  workplace: Workplace,
  { refs }: Environment,
  found: { readonly slug: string; readonly inside: Inside; readonly head: Oid; readonly git: string },
): Promise<string | undefined> {
  const { repository, transport } = workplace;
  const { slug, git } = found;
  const { runtime, container } = found.inside;
  const prefix = `${refs.prefix}modules/${slug}/`;
  const known = await repository.listRefs(`${prefix}commits/`);
  if (known.some(({ oid }) => oid === found.head)) return undefined;
  try {
    const { head } = await transport.fetch(pipeInto(runtime, container.id), git, { known: [prefix] });
    if (head === undefined || known.some(({ oid }) => oid === head)) return undefined;
    const update = { name: refs.module(slug, `commits/${head}`), before: null, after: head };
    await repository.updateRefs([update], 'coppice: commit in a submodule');
    return undefined;
  } catch (error) {
    if (hasCode(error, 'ref-moved')) return undefined;
    if (!(error instanceof CoppiceError)) throw error;
    return `its files are kept, its commits cannot be: ${error.message}`;
  }
}

export async function gitlinks({ repository }: Workplace, tip: Oid): Promise<ReadonlyMap<BytePath, Oid>> {
  const entries = await repository.listTree(tip, { recursive: true });
  return new Map(entries.filter(({ mode }) => mode === '160000').map(({ path, oid }) => [path, oid]));
}

/** Readable, and unlike any other path's. */
export function slugOf(path: BytePath): string {
  const digest = createHash('sha256').update(bytesOf(path)).digest('hex').slice(0, 8);
  const readable = path
    .replace(/[^A-Za-z0-9]+/g, '-')
    .slice(-40)
    .replace(/^-+|-+$/g, '');
  return readable === '' ? digest : `${readable}-${digest}`;
}
