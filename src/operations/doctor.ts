/** `doctor`: whether everything coppice needs is there, and whether everything it made fits together. */
import * as z from 'zod/mini';
import { hasCode } from '../domain/error.ts';
import { examine, examineMachine, type Finding, type Machine } from '../environment/examine.ts';
import { type Context, flag, operation } from './operation.ts';
import { safe } from './views.ts';

export const doctor = operation({
  name: 'doctor',
  summary: 'Check the machine, the engine and the environments; say what to do about each problem',
  effect: 'write',
  tool: {
    title: 'Check machine and environments',
    idempotent: true,
    openWorld: false,
    bindable: false,
    asks: {
      fix: 'it changes what other environments stand on',
    },
  },
  version: 1,
  input: z.strictObject({
    fix: flag(z._default(z.boolean(), false), { help: 'Repair what can be repaired without losing anything.' }),
  }),
  async run(context, { fix }) {
    const findings: Finding[] = [];
    const all = await examined(context, fix);
    for await (const finding of all) findings.push(finding);
    return { findings, problems: findings.filter(({ level, fixed }) => level === 'problem' && !fixed).length };
  },
  render({ findings, problems }, style) {
    const marks = { ok: style.green('ok'), note: style.yellow('note'), problem: style.red('problem') };
    const lines = findings.map(({ level, what, hint, fixed }) => {
      const after = fixed ? `  ${style.green('fixed')}` : hint === null ? '' : `\n         ${style.dim(hint)}`;
      return `${marks[level].padEnd(style.colour ? 17 : 8)} ${safe(what, 300)}${after}`;
    });
    return [...lines, problems === 0 ? 'All is well.' : `${problems} to look at.`].join('\n');
  },
  exitStatus: ({ problems }) => (problems === 0 ? 0 : 1),
});

/** Outside of a repository the machine is examined all the same: a new user may well begin there. */
async function examined(context: Context, fix: boolean): Promise<AsyncIterable<Finding>> {
  try {
    return examine(await context.workplace(), fix);
  } catch (error) {
    if (!hasCode(error, 'not-a-repository')) throw error;
    return outside(await context.machine(), context.surroundings.cwd);
  }
}

async function* outside(machine: Machine, directory: string): AsyncGenerator<Finding> {
  yield* examineMachine(machine);
  const hint = 'Run it in a repository to have its environments looked at too.';
  yield { level: 'note', what: `${directory} is in no git repository.`, hint, fixed: false };
}
