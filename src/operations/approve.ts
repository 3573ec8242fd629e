/** `approve`: lets a repository's own file, or an environment that came from elsewhere, have what it asks for of this machine. */
import * as z from 'zod/mini';
import { CoppiceError } from '../domain/error.ts';
import { accessOf, hostAccessOf } from '../environment/access/access.ts';
import { digestOf, type Question, questionOf, subjectOf, textOfQuestion } from '../environment/access/approval.ts';
import type { Approval } from '../environment/access/approvals.ts';
import { findEnvironment } from '../environment/find.ts';
import type { Workplace } from '../environment/workplace.ts';
import { type Context, flag, operation } from './operation.ts';
import { age } from './views.ts';

export const approve = operation({
  name: 'approve',
  summary: 'Approve what a repository’s file or an environment asks for of this machine: mounts, secrets, root inside',
  details:
    'Without NAME it is about .coppice/environment.json in the commit that is checked out. Shows what is asked for, and asks in a terminal. An approval is for exactly what was shown, in this repository at this path.',
  effect: 'write',
  tool: { withheld: 'what is given of this machine only a person approves' },
  version: 1,
  input: z.strictObject({
    name: flag(z.optional(z.string()), {
      help: 'An environment, such as one that came with a fetch. Default: the repository’s file.',
      place: 'argument',
      value: 'NAME',
    }),
    from: flag(z.optional(z.string()), { help: 'The commit whose file is meant. Default: HEAD.', value: 'REV' }),
    yes: flag(z._default(z.boolean(), false), { help: 'Approve whatever is asked for now, without a question.' }),
    exactly: flag(z.optional(z.string()), {
      help: 'Approve if it is what an earlier answer called by this digest, else refuse.',
      value: 'DIGEST',
    }),
    list: flag(z._default(z.boolean(), false), { help: 'List what is approved in this repository.' }),
    revoke: flag(z._default(z.boolean(), false), {
      help: 'Withdraw what is approved in this repository, or with NAME for that environment and whatever asks for the same.',
    }),
  }),
  async run(context, input) {
    const workplace = await context.workplace();
    if (input.list) return { ...nothingAsked, approvals: approvalView(await workplace.approvals.list()) };
    if (input.revoke) return { ...nothingAsked, revoked: approvalView(await revoke(workplace, input.name)) };
    const question = await questionFor(workplace, input);
    const decided = question.approved || (await decide(context, question, input));
    if (decided && !question.approved) await workplace.approvals.add(question.subject, question.access.lines);
    return {
      subject: question.subject as string,
      asks: question.access.lines,
      risks: question.access.risks,
      changed: question.changed,
      digest: digestOf(question.access.lines),
      approved: decided,
      text: question.access.lines.length === 0 ? null : textOfQuestion(question),
      command: `coppice approve${input.name === undefined ? '' : ` ${input.name}`}${input.from === undefined ? '' : ` --from ${input.from}`}`,
      approvals: null,
      revoked: null,
    };
  },
  render(it, style) {
    if (it.approvals !== null)
      return renderApprovals(it.approvals, style.now) || style.dim('Nothing is approved here.');
    if (it.revoked !== null)
      return it.revoked.length === 0
        ? style.dim('Nothing was approved.')
        : `revoked:\n${renderApprovals(it.revoked, style.now)}`;
    if (it.text === null) return 'It asks for nothing of this machine: there is nothing to approve.';
    if (it.approved) return `${it.text}\n${style.green('approved')}`;
    return `${it.text}\n${style.yellow('not approved')}; to approve exactly this: ${it.command} --exactly ${it.digest}`;
  },
  exitStatus: ({ approved }) => (approved ? 0 : 6),
});

const nothingAsked = {
  subject: null,
  asks: [] as readonly string[],
  risks: [] as readonly string[],
  changed: false,
  digest: null,
  approved: true,
  text: null,
  command: '',
  approvals: null as ReturnType<typeof approvalView> | null,
  revoked: null as ReturnType<typeof approvalView> | null,
};

interface Asked {
  readonly name?: string | undefined;
  readonly from?: string | undefined;
  readonly yes: boolean;
  readonly exactly?: string | undefined;
}

async function questionFor(workplace: Workplace, { name, from }: Asked): Promise<Question> {
  if (name !== undefined) {
    const environment = await findEnvironment(workplace, name);
    return questionOf(workplace, subjectOf(environment), await accessOf(workplace, environment));
  }
  const revision = from ?? 'HEAD';
  const commit = await workplace.repository.resolveCommit(revision);
  if (commit === undefined) {
    throw new CoppiceError('not-found', 'no-such-commit', `There is no commit ${JSON.stringify(revision)} here.`, {
      hint: 'Name a branch, a tag or a commit.',
    });
  }
  const file = await workplace.repository.readBlobAt(commit, '.coppice/environment.json');
  return questionOf(workplace, 'repository', await hostAccessOf(workplace, workplace.hostRequestIn(file)));
}

async function decide({ confirm }: Context, question: Question, { yes, exactly }: Asked): Promise<boolean> {
  const digest = digestOf(question.access.lines);
  if (exactly !== undefined && exactly !== digest) {
    throw new CoppiceError(
      'refused',
      'approval-changed',
      `${textOfQuestion(question)}\nThat is not what ${exactly} stands for.`,
      {
        hint: `If it is what you want: --exactly ${digest}`,
        data: { asks: question.access.lines, digest },
      },
    );
  }
  if (yes || exactly !== undefined) return true;
  return (await confirm?.(textOfQuestion(question), 'Approve it?')) ?? false;
}

/** An environment's also stand on what is approved for the repository's file, where that asks for the same. */
async function revoke(workplace: Workplace, name: string | undefined): Promise<readonly Approval[]> {
  if (name === undefined) return workplace.approvals.withdraw(() => true);
  const environment = await findEnvironment(workplace, name);
  const lines = (await accessOf(workplace, environment)).lines.join('\n');
  return workplace.approvals.withdraw(
    (each) =>
      each.subject === subjectOf(environment) || (each.subject === 'repository' && each.lines.join('\n') === lines),
  );
}

function approvalView(approvals: readonly Approval[]) {
  return approvals.map(({ subject, lines, approvedAt }) => ({ subject: subject as string, lines, approvedAt }));
}

function renderApprovals(approvals: ReturnType<typeof approvalView>, now: Date): string {
  return approvals
    .map(({ subject, lines, approvedAt }) =>
      [`${subject}, ${age(new Date(approvedAt), now)} ago:`, ...lines.map((line) => `  ${line}`)].join('\n'),
    )
    .join('\n');
}
