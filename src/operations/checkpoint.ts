/** `checkpoint`: commits what is on disk now, without waiting for anybody. */
import * as z from 'zod/mini';
import { findEnvironment } from '../environment/find.ts';
import { reconcile } from '../environment/reconcile.ts';
import { nameArgument, operation } from './operation.ts';
import { heldView, renderHeld, safe, short } from './views.ts';

export const checkpoint = operation({
  name: 'checkpoint',
  summary: 'Make a checkpoint of the files as they are now',
  effect: 'write',
  tool: {
    title: 'Checkpoint an environment',
    idempotent: true,
    openWorld: false,
    bindable: true,
  },
  version: 1,
  input: z.strictObject({ name: nameArgument() }),
  async run(context, { name }) {
    const workplace = await context.workplace();
    const reconciled = await reconcile(workplace, await findEnvironment(workplace, name), { rehash: true });
    const { environment, checkpoint: made, held } = reconciled;
    const tip = await workplace.repository.readCommit(environment.at.tip);
    return {
      name: environment.name as string,
      tip: environment.at.tip as string,
      checkpoint: (made ?? null) as string | null,
      subject: tip.message.split('\n')[0] ?? '',
      held: heldView(held),
    };
  },
  render({ checkpoint: made, tip, subject, held }, style) {
    const line =
      made === null ? `nothing new; the tip is ${short(tip)}` : `${style.yellow(short(made))} ${safe(subject)}`;
    return [line, renderHeld(held, style)].filter((part) => part !== '').join('\n');
  },
});
