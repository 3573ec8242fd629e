/** Nothing of this machine is given away before the user has said so, once for each content. */
import { createHash } from 'node:crypto';
import { CoppiceError } from '../../domain/error.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';
import type { HostAccess } from './access.ts';
import { accessOf } from './access.ts';
import type { Subject } from './approvals.ts';

/** Shows text to a person and asks for a yes. Absent where there is nobody to ask. */
export type Confirm = (text: string, question: string) => Promise<boolean>;

export function subjectOf({ name }: Pick<Environment, 'name'>): Subject {
  return `environment ${name}`;
}

/** A short name of exactly these lines: so that a script approves what was shown, and nothing that came after. */
export function digestOf(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 16);
}

/** What is asked for, against what was approved last: a line each, with `+` and `-` where something was. */
export interface Change {
  readonly sign: ' ' | '+' | '-';
  readonly line: string;
}

export interface Question {
  readonly subject: Subject;
  readonly access: HostAccess;
  readonly approved: boolean;
  /** Whether something else was approved before. */
  readonly changed: boolean;
  readonly changes: readonly Change[];
}

/** What the repository's own file asks for needs no second approval in an environment that asks for just that. */
export async function questionOf(workplace: Workplace, subject: Subject, access: HostAccess): Promise<Question> {
  const { lines } = access;
  if (lines.length === 0) return { subject, access, approved: true, changed: false, changes: [] };
  const approvals = await workplace.approvals.list();
  const counting = approvals.filter((each) => each.subject === subject || each.subject === 'repository');
  const approved = counting.some((each) => each.lines.join('\n') === lines.join('\n'));
  const before = counting.at(-1)?.lines ?? [];
  const changed = !approved && before.length > 0;
  const now = lines.map((line) => ({ sign: changed && !before.includes(line) ? '+' : ' ', line }) as const);
  const gone = changed
    ? before.filter((line) => !lines.includes(line)).map((line) => ({ sign: '-', line }) as const)
    : [];
  return { subject, access, approved, changed, changes: [...now, ...gone] };
}

export function textOfQuestion({ subject, access, changed, changes }: Question): string {
  const who = subject === 'repository' ? 'This repository’s .coppice/environment.json' : `The ${subject}`;
  return [
    `${who} asks for access to this machine${changed ? '; what you approved before was different (+ new, - gone)' : ''}:`,
    ...changes.map(({ sign, line }) => `  ${sign} ${line}`),
    ...access.risks.map((risk) => `  ! ${risk}`),
  ].join('\n');
}

/** Asks where somebody can be asked. Throws `approval-needed` (kind `refused`). */
export async function requireApproval(
  workplace: Workplace,
  question: Question,
  command: string,
  confirm?: Confirm,
): Promise<void> {
  if (question.approved) return;
  const text = textOfQuestion(question);
  if ((await confirm?.(text, 'Give it this access?')) === true) {
    await workplace.approvals.add(question.subject, question.access.lines);
    return;
  }
  const { lines, risks } = question.access;
  // Who was asked has just read it.
  const sentence = confirm === undefined ? `${text}\nYou have not approved that.` : 'It was not approved.';
  throw new CoppiceError('refused', 'approval-needed', sentence, {
    hint: `Approve exactly this with: ${command} --exactly ${digestOf(lines)}`,
    data: { asks: lines, risks, digest: digestOf(lines), subject: question.subject },
  });
}

/** For an environment that exists: its record may have come from somebody else. */
export async function requireApprovedEnvironment(
  workplace: Workplace,
  environment: Environment,
  confirm?: Confirm,
): Promise<HostAccess> {
  const access = await accessOf(workplace, environment);
  const question = await questionOf(workplace, subjectOf(environment), access);
  await requireApproval(workplace, question, `coppice approve ${environment.name}`, confirm);
  return access;
}

/** What the user has given by hand, or what a new environment takes over from one that has it by right. */
export async function grant(workplace: Workplace, environment: Environment, { lines }: HostAccess): Promise<void> {
  if (lines.length > 0) await workplace.approvals.add(subjectOf(environment), lines);
}
