/** `rewind`: an environment's files as they were. */
import * as z from 'zod/mini';
import { shortOid } from '../domain/oid.ts';
import { findEnvironment } from '../environment/find.ts';
import { type Rewound, rewind as rewindTo } from '../environment/rewind.ts';
import { flag, nameArgument, operation, type Style } from './operation.ts';
import { count } from './show.ts';
import { age, heldView, renderHeld, safe, short } from './views.ts';

export const rewind = operation({
  name: 'rewind',
  summary: 'Make the files of an environment what they were at a checkpoint, a commit or a time',
  details:
    'Untracked files, modes, links and deletions included; ignored and held files stay. What is there now is checkpointed first, so that this can be undone. HEAD, index and commits inside stay: git status there shows the difference.',
  effect: 'write',
  tool: {
    title: 'Rewind an environment',
    idempotent: true,
    openWorld: false,
    bindable: true,
  },
  version: 1,
  input: z.strictObject({
    name: nameArgument(),
    to: flag(z.string(), {
      help: 'A commit or checkpoint of the environment (also base, head~1, tails/2), or a time: 10m, 2h, 2026-01-31T12:00.',
      place: 'argument',
      value: 'REV',
    }),
    force: flag(z._default(z.boolean(), false), {
      help: 'Even while a command runs or a merge is under way inside.',
      short: '-f',
    }),
  }),
  async run(context, { name, to, force }) {
    const workplace = await context.workplace();
    return rewoundView(await rewindTo(workplace, await findEnvironment(workplace, name), { to, force }));
  },
  render(output, style) {
    const { name, to, changed, checkpoint, undo, held, failed, different } = output;
    const target = `${style.yellow(short(to.oid))} ${safe(to.subject)}`;
    if (checkpoint === null) return `${name} is like ${target} already`;
    const parts = [
      `${style.green('rewound')} ${name} to ${target}  ${style.dim(`${age(new Date(to.date), style.now)} ago`)}`,
      `  ${count(changed.length, 'file')} changed; undo with \`${undo}\``,
      renderPaths(
        'failed',
        failed.map(({ path, reason }) => `${path}  ${reason}`),
        style,
      ),
      renderPaths('differs', different, style),
      renderHeld(held, style),
    ];
    return parts.filter((part) => part !== '').join('\n');
  },
  exitStatus: ({ failed }) => (failed.length === 0 ? 0 : 1),
});

function rewoundView({ environment, to, before, checkpoint, changed, held, failed, different }: Rewound) {
  return {
    name: environment.name as string,
    to: {
      oid: to.oid as string,
      subject: to.message.split('\n')[0] ?? '',
      date: new Date(to.committer.seconds * 1000).toISOString(),
    },
    before: before as string,
    checkpoint: (checkpoint ?? null) as string | null,
    tip: environment.at.tip as string,
    undo: `coppice rewind ${environment.name} ${shortOid(before)}`,
    changed,
    held: heldView(held),
    failed: failed.map(({ path, reason }) => ({ path, reason: reason as string })),
    different,
  };
}

function renderPaths(word: string, paths: readonly string[], style: Style): string {
  const shown = paths.slice(0, 10).map((path) => `  ${style.red(word)} ${safe(path)}`);
  const more = paths.length > 10 ? [`  … and ${paths.length - 10} more (--json lists all)`] : [];
  return [...shown, ...more].join('\n');
}
