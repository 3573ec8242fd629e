/** `restore`: brings back what `remove` put away. */
import * as z from 'zod/mini';
import { parseEnvironmentName } from '../domain/environment-name.ts';
import { CoppiceError } from '../domain/error.ts';
import { requireApprovedEnvironment } from '../environment/access/approval.ts';
import { boundByUser } from '../environment/access/network.ts';
import type { Environment } from '../environment/environment.ts';
import { tellLeftOut } from '../environment/left-out.ts';
import { dismantle, materialize } from '../environment/materialize.ts';
import { putHeld } from '../environment/put-held.ts';
import { putInside } from '../environment/put-inside.ts';
import { putSubmodules } from '../environment/put-submodules.ts';
import { deleteReferences } from '../environment/references.ts';
import { type BroughtBack, bringBackReferences, listTrash, type Trashed } from '../environment/trash.ts';
import type { Workplace } from '../environment/workplace.ts';
import { type Context, flag, operation } from './operation.ts';
import { environmentView } from './views.ts';

export const restore = operation({
  name: 'restore',
  summary: 'Bring back an environment that was removed',
  details: 'Without a name it lists what can be brought back.',
  effect: 'write',
  tool: {
    title: 'Bring back a removed environment',
    idempotent: false,
    openWorld: true,
    bindable: false,
  },
  version: 1,
  input: z.strictObject({
    name: flag(z.optional(z.string()), { help: 'The environment that was removed.', place: 'argument', value: 'NAME' }),
    from: flag(z.optional(z.string()), {
      help: 'The trash reference to take. Default: the newest of that name.',
      value: 'REF',
    }),
  }),
  async run(context, { name, from }) {
    const workplace = await context.workplace();
    const trashed = await listTrash(workplace, name === undefined ? undefined : parseEnvironmentName(name));
    if (name === undefined && from === undefined) {
      return { restored: null, trash: trashed.map((each) => ({ name: each.name as string, ref: each.ref as string })) };
    }
    const chosen = from === undefined ? trashed.at(-1) : trashed.find(({ ref }) => ref === from);
    if (chosen === undefined) throw nothingThere(name ?? from ?? '', trashed);
    const back = await bringBackReferences(workplace, chosen);
    const restored = await rebuild(workplace, back, context);
    await workplace.repository.updateRefs(
      [{ name: chosen.ref, before: chosen.oid, after: null }],
      `coppice: restored ${chosen.name}`,
    );
    await workplace.daemon.notice(workplace.repository, restored.name);
    return { restored: environmentView(restored), trash: [] as { name: string; ref: string }[] };
  },
  render({ restored, trash }, style) {
    if (restored !== null) return `restored ${style.bold(restored.name)}\n  worktree  ${restored.worktree}`;
    if (trash.length === 0) return style.dim('Nothing was removed.');
    return trash.map(({ name, ref }) => `${style.bold(name)}  ${style.dim(ref)}`).join('\n');
  },
});

/** Files, container and held files; when that fails the references go again and the trash entry still has everything. */
async function rebuild(
  workplace: Workplace,
  { environment: back, held }: BroughtBack,
  { confirm, report }: Pick<Context, 'confirm' | 'report'>,
): Promise<Environment> {
  let environment = back;
  try {
    // Before anything of it runs.
    environment = await boundByUser(workplace, back, report);
    await requireApprovedEnvironment(workplace, environment, confirm);
    const runtime = await workplace.runtime(environment.record.spec.runtime);
    tellLeftOut(await materialize(workplace, environment, runtime), report);
    await putSubmodules(workplace, environment);
    await putHeld(environment, held);
    await putInside(workplace, environment, report);
    return environment;
  } catch (error) {
    await dismantle(workplace, environment);
    await deleteReferences(workplace, environment, `coppice: restore of ${environment.name} failed`);
    throw error;
  }
}

function nothingThere(wanted: string, trashed: readonly Trashed[]): CoppiceError {
  return new CoppiceError('not-found', 'not-in-trash', `Nothing named ${wanted} was removed here.`, {
    hint:
      trashed.length === 0
        ? '`coppice restore` without a name lists what can be brought back.'
        : `There is: ${trashed.map(({ ref }) => ref).join(', ')}.`,
  });
}
