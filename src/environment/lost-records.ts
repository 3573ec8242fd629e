/** Environments whose record somebody deleted: their branch and files are there, and the record can be had again. */
import type { EnvironmentRecord } from '../domain/environment.ts';
import { type EnvironmentName, isEnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError } from '../domain/error.ts';
import { networkModes } from '../domain/network.ts';
import type { Oid } from '../domain/oid.ts';
import { coppiceRefs, refsOf } from '../domain/ref-layout.ts';
import { runtimeKinds, type Spec } from '../domain/spec.ts';
import { thisProcess } from '../platform/liveness.ts';
import { type Container, labels } from '../runtime/runtime.ts';
import { labelsOf } from './container.ts';
import { parseRecord, recordFile, writeFirstRecord } from './record.ts';
import { authorOf } from './starting-point.ts';
import type { Workplace } from './workplace.ts';

/** Names that have a base and a branch, and no record. */
export async function namesWithoutRecord(workplace: Workplace): Promise<readonly EnvironmentName[]> {
  const { repository, settings } = workplace;
  const refs = await repository.listRefs(coppiceRefs, `refs/heads/${settings.branchPrefix}`);
  const there = new Set<string>(refs.map(({ name }) => name));
  const names = new Set([...there].map((name) => /^refs\/coppice\/([^/]+)\/base$/.exec(name)?.[1] ?? ''));
  return [...names].filter(isEnvironmentName).filter((name) => {
    const { record, branch } = refsOf(name, settings.branchPrefix);
    return !there.has(record) && there.has(branch);
  });
}

/** The last record itself, where git still has it; else one made of what the branch and the container say. */
export async function recoverRecord(workplace: Workplace, name: EnvironmentName): Promise<'found' | 'made'> {
  const { repository, settings } = workplace;
  const found = await lastRecord(workplace, name);
  const { record } = refsOf(name, settings.branchPrefix);
  const oid = found ?? (await writeFirstRecord(workplace, await makeRecord(workplace, name)));
  await repository.updateRefs([{ name: record, before: null, after: oid }], 'coppice: doctor');
  return found === undefined ? 'made' : 'found';
}

async function lastRecord({ repository }: Workplace, name: EnvironmentName): Promise<Oid | undefined> {
  const commits = await repository.danglingCommits();
  const blobs = await repository.readBlobsAt(commits.map((treeish) => ({ treeish, path: recordFile })));
  const records = commits.filter((_, index) => blobs[index] !== undefined && isRecordOf(name, blobs[index]));
  const newest = (await repository.readCommits(records)).toSorted(
    (one, other) => other.committer.seconds - one.committer.seconds,
  );
  return newest[0]?.oid;
}

function isRecordOf(name: EnvironmentName, blob: Buffer | undefined): boolean {
  try {
    return parseRecord(blob, name).name === name;
  } catch (error) {
    if (error instanceof CoppiceError) return false;
    throw error;
  }
}

async function makeRecord(workplace: Workplace, name: EnvironmentName): Promise<EnvironmentRecord> {
  const { repository, settings, surroundings } = workplace;
  const refs = refsOf(name, settings.branchPrefix);
  const [head, base] = await Promise.all([repository.head(), repository.readRef(refs.base)]);
  const file = base === undefined ? undefined : await repository.readBlobAt(base, '.coppice/environment.json');
  const { spec } = await workplace.planSpec(await runsIn(workplace, name), file, () => undefined);
  return {
    version: 1,
    name,
    title: null,
    target: head.kind === 'branch' ? head.ref : null,
    branch: refs.branch,
    createdAt: workplace.now().toISOString(),
    stage: 'ready',
    creator: { host: surroundings.hostname, ...thisProcess() },
    author: await authorOf(workplace),
    spec,
  };
}

/** What its container says it is made of. */
async function runsIn(workplace: Workplace, name: EnvironmentName): Promise<Spec> {
  for (const kind of runtimeKinds) {
    try {
      const [container] = await (await workplace.runtime(kind)).list(labelsOf(workplace, name));
      if (container !== undefined) {
        const image = container.image === null ? {} : { image: container.image };
        return { runtime: kind, ...image, ...networkOf(container) };
      }
    } catch (error) {
      if (!(error instanceof CoppiceError) || error.kind !== 'unavailable') throw error;
    }
  }
  return {};
}

/** Never more than it had: of an allowlist the hosts are lost, and have to be allowed again. */
function networkOf(container: Container): Pick<Spec, 'network'> {
  const mode = networkModes.find((each) => each === container.labels[labels.network]);
  return mode === undefined || mode === 'open' ? {} : { network: mode };
}
