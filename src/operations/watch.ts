/** `watch`: what happens in all environments, a line each, as it happens. */
import * as z from 'zod/mini';
import { flag, operation, type Style } from './operation.ts';
import { safe, short } from './views.ts';

export const watch = operation({
  name: 'watch',
  summary: 'Show live what happens in all environments of the user, a line each; Ctrl-C ends it',
  details: 'With --json one object a line.',
  effect: 'read',
  tool: { withheld: 'it never ends; resources can be subscribed to' },
  version: 1,
  input: z.strictObject({
    here: flag(z._default(z.boolean(), false), { help: 'Only this repository.' }),
  }),
  async run(context, { here }) {
    const port = await context.daemon();
    const only = here ? (await context.workplace()).repository.id : undefined;
    let seen = 0;
    context.report('watching; Ctrl-C ends it');
    for await (const event of port.events(context.signal)) {
      if (only !== undefined && event.repository !== only) continue;
      seen += 1;
      context.emit(event);
    }
    return { events: seen };
  },
  renderEvent(event, style) {
    const { name, at, type } = event as { name: string; at: string; type: string };
    return `${style.dim(at.slice(11, 19))} ${style.bold(name)}  ${describe(type, event, style)}`;
  },
  render: () => '',
});

/** A script can be as long as it likes; the line shall not. `log --checkpoints` has all of it. */
const longestCause = 56;

function describe(type: string, event: Readonly<Record<string, unknown>>, style: Style): string {
  const text = (key: string) => safe(String(event[key] ?? ''));
  if (type === 'checkpoint')
    return `${style.dim(short(text('oid')))} ${text('subject')}  ${style.cyan(safe(String(event.cause ?? ''), longestCause))}`;
  if (type === 'commit') return `${style.yellow(short(text('oid')))} ${text('subject')}`;
  if (type === 'held') return style.yellow(`${(event.held as readonly unknown[]).length} paths held back`);
  if (type === 'conflict') return describeConflict(event as unknown as ConflictEvent, style);
  if (type === 'error') return style.red(text('message'));
  return style.dim(`${text('state')}${event.watch === 'polling' ? ' by polling' : ''}`);
}

interface ConflictEvent {
  readonly state: string;
  readonly with: { readonly name: string };
  readonly conflicting: number;
  readonly files: readonly { readonly path: string }[];
}

function describeConflict({ state, with: other, conflicting, files }: ConflictEvent, style: Style): string {
  const name = safe(other.name);
  if (state === 'ended') return style.green(`merges cleanly with ${name} again`);
  const shown = files.slice(0, 3).map(({ path }) => safe(path));
  const more = conflicting > shown.length ? `, and ${conflicting - shown.length} more` : '';
  return `${style.red(`conflicts with ${name}`)}: ${shown.join(', ')}${more}`;
}
