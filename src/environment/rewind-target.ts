/** Which state of an environment a person means: a commit or checkpoint of its own, or the newest one at a moment. */
import { isCheckpoint } from '../domain/checkpoint.ts';
import { CoppiceError } from '../domain/error.ts';
import { parseMoment } from '../domain/moment.ts';
import type { Oid } from '../domain/oid.ts';
import { isRefName } from '../domain/ref-name.ts';
import type { CommitInfo } from '../git/repository.ts';
import type { Environment } from './environment.ts';
import type { Workplace } from './workplace.ts';

/** Throws `revision-not-found`, `revision-elsewhere`, `nothing-that-old` (kind `not-found`). */
export async function findTarget(workplace: Workplace, environment: Environment, text: string): Promise<CommitInfo> {
  const moment = parseMoment(text, workplace.now());
  if (moment !== undefined) return stateAt(workplace, environment, moment);
  return workplace.repository.readCommit(await findRevision(workplace, environment, text));
}

async function findRevision(workplace: Workplace, environment: Environment, text: string): Promise<Oid> {
  const { repository } = workplace;
  const { name, refs, at } = environment;
  // `base`, `head~1` and `tails/2` are the environment's own, whatever else is called so.
  const own = isRefName(refs.prefix + text.replace(/[~^@:].*$/s, ''))
    ? await repository.resolveCommit(refs.prefix + text)
    : undefined;
  const found = own ?? (await repository.resolveCommit(text));
  if (found === undefined) {
    throw new CoppiceError('not-found', 'revision-not-found', `${JSON.stringify(text)} names no commit or time.`, {
      hint: `\`coppice log ${name} --checkpoints\` lists what there is; times are written 10m, 2h or 2026-01-31T12:00.`,
    });
  }
  const roots = await stateRoots(workplace, environment);
  const heads = await repository.listRefs(`${refs.prefix}heads/`);
  const exclude = [at.tip, at.base, ...roots, ...heads.map(({ oid }) => oid)];
  const outside = await repository.log({ start: found, exclude, limit: 1 });
  if (outside.length === 0) return found;
  throw new CoppiceError('not-found', 'revision-elsewhere', `${JSON.stringify(text)} is no state of ${name}.`, {
    hint: `\`coppice log ${name} --checkpoints\` lists them. To bring in a branch, use \`coppice sync ${name}\`.`,
    data: { environment: name, commit: found },
  });
}

/** Where folded checkpoints, and what rewrites left behind, can be reached from. */
async function stateRoots({ repository }: Workplace, { refs }: Environment): Promise<readonly Oid[]> {
  return (await repository.listRefs(`${refs.prefix}tails/`)).map(({ oid }) => oid);
}

/** Every state there ever was has a checkpoint, but for the first: that is the base. */
async function stateAt(workplace: Workplace, environment: Environment, moment: Date): Promise<CommitInfo> {
  const { repository } = workplace;
  const { name, at, record } = environment;
  const also = await stateRoots(workplace, environment);
  const states = await repository.log({ start: at.tip, also, exclude: [at.base], firstParent: true });
  const until = moment.getTime() / 1000;
  const then = states
    .filter((state) => isCheckpoint(state.message) && state.committer.seconds <= until)
    .reduce<CommitInfo | undefined>((newest, state) => (isNewer(state, newest) ? state : newest), undefined);
  if (then !== undefined) return then;
  if (Date.parse(record.createdAt) <= moment.getTime()) return repository.readCommit(at.base);
  throw new CoppiceError('not-found', 'nothing-that-old', `${name} did not exist at ${moment.toISOString()}.`, {
    hint: `It was created at ${record.createdAt}; \`coppice rewind ${name} base\` goes back to there.`,
    data: { environment: name, createdAt: record.createdAt },
  });
}

/** Of those of one second the first is the newest: git lists children before their parents. */
function isNewer(state: CommitInfo, newest: CommitInfo | undefined): boolean {
  return newest === undefined || state.committer.seconds > newest.committer.seconds;
}
