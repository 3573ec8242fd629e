/** `daemon`: the process that watches environments; an accelerator, never needed. */
import * as z from 'zod/mini';
import { flag, operation } from './operation.ts';
import { age, columns, safe } from './views.ts';

const actions = ['status', 'start', 'stop', 'run'] as const;

export const daemon = operation({
  name: 'daemon',
  summary: 'Control the process that watches environments: start, stop, status (or run: be it, in the foreground)',
  details:
    'It starts by itself when it is needed. Everything works without it, only later. "daemon": "off" in the settings keeps it off.',
  effect: 'write',
  tool: { withheld: 'the user’s background process starts by itself and is nobody else’s to stop' },
  version: 1,
  input: z.strictObject({
    action: flag(z.enum(actions), { help: `One of: ${actions.join(', ')}.`, place: 'argument', value: 'ACTION' }),
  }),
  async run(context, { action }) {
    const port = await context.daemon();
    if (action === 'run') {
      await port.serve(context.signal);
      return { action, changed: false, daemon: null };
    }
    if (action === 'stop') return { action, changed: await port.stop(), daemon: null };
    const before = await port.facts();
    if (action === 'status') return { action, changed: false, daemon: before ?? null };
    return { action, changed: before === undefined, daemon: before ?? (await port.start()) };
  },
  render({ action, changed, daemon: facts }, style) {
    if (action === 'run') return '';
    if (action === 'stop') return changed ? 'stopped' : 'it was not running';
    if (facts === null) return 'not running; it starts with the next create or start';
    const rows = facts.environments.map(({ repository, name, watch, reason, lastError }) => [
      `  ${style.bold(name)}`,
      style.dim(repository),
      lastError === null ? watch : style.red(safe(lastError)),
      safe(reason ?? ''),
    ]);
    const since = age(new Date(facts.startedAt), style.now);
    const head = `running since ${since}, pid ${facts.pid}, version ${facts.version}, watching ${facts.environments.length}`;
    return rows.length === 0 ? head : `${head}\n${columns(rows)}`;
  },
});
