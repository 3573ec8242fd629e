/** What an operation is to agents that call it as a tool over MCP. Stated by the operation: surfaces keep no lists. */

export type Tool<Key extends string> = OfferedTool<Key> | WithheldTool;

export interface WithheldTool {
  /** Why agents do not get it. */
  readonly withheld: string;
}

export interface OfferedTool<Key extends string> {
  /** A few words for people who look at a list of tools. */
  readonly title: string;
  /** Whether a second call with the same input does nothing more. */
  readonly idempotent: boolean;
  /** Whether it reaches beyond this machine: an image that is pulled, a command with a network. */
  readonly openWorld: boolean;
  /** Whether it touches nothing but one environment, so that an agent which is bound to that one may have it. */
  readonly bindable: boolean;
  /** Inputs that reach other environments: not for an agent that is bound to one. */
  readonly others?: readonly Key[];
  /** Inputs that agents do not have, and why. */
  readonly without?: Partial<Readonly<Record<Key, string>>>;
  /** What is meant where an agent leaves an input out, if that is not what it means elsewhere. */
  readonly defaults?: Partial<Readonly<Record<Key, unknown>>>;
  /** Inputs that a person has to agree to each time, and why. */
  readonly asks?: Partial<Readonly<Record<Key, Ask>>>;
}

export type Ask =
  | string
  | {
      readonly why: string;
      readonly unless: (value: unknown) => boolean;
      /** What it is called, where it is not the input itself that asks. */
      readonly called?: string;
    };

/** Why a person has to agree to this value; undefined where nobody has to. */
export function whyAsked(ask: Ask, value: unknown): string | undefined {
  if (typeof ask !== 'string') return ask.unless(value) ? undefined : ask.why;
  const given = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
  return given ? ask : undefined;
}

/** What an agent changed does not get to run on the host because the agent merged it. */
export const runsAsk: Ask = {
  why: 'what runs on the host or in CI after the merge may be among it',
  called: 'refuseRuns: false',
  unless: (refuseRuns) => refuseRuns === true,
};

/** Why, of inputs that several operations take. */
export const reasons = {
  allowSecrets: 'what looks like a secret would reach the branch',
  noVerify: 'the repository’s hooks would be skipped on the way to its branches',
  runtime: 'it decides how well commands are kept apart from this machine',
  secret: 'it takes a secret from this machine',
  terminal: 'there is no terminal',
} as const;
