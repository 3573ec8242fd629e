/** `create`: a new environment (or several), from a commit. */
import * as z from 'zod/mini';
import { parseAllowEntry } from '../domain/allowlist.ts';
import { CoppiceError } from '../domain/error.ts';
import { type NetworkMode, networkModes } from '../domain/network.ts';
import { runtimeKinds, type Spec } from '../domain/spec.ts';
import { type Created, createEnvironment } from '../environment/create.ts';
import { listEnvironments } from '../environment/find.ts';
import { sweepInterrupted } from '../environment/interrupted.ts';
import { parseMount } from './mount-options.ts';
import { describeNetwork, networkView } from './network-view.ts';
import { flag, operation, type Style } from './operation.ts';
import { parseSecrets, secretFacts, secretFileFacts } from './secret-options.ts';
import { type Each, eachOf, moreNames, namesOf, oneCallEach, renderEach, statusOfEach } from './several.ts';
import { reasons } from './tool.ts';
import { environmentView, type HeldView, heldView, renderHeld, safe, short } from './views.ts';

export const create = operation({
  name: 'create',
  summary: 'Create an environment: a branch, a worktree and a container, bound together',
  details:
    'Starts from the commit the caller has checked out, unless --from says otherwise. The spec is taken from the options, then from .coppice/environment.json in that commit, then from the user’s settings.',
  effect: 'write',
  tool: {
    title: 'Create an environment',
    idempotent: false,
    openWorld: true,
    bindable: false,
    without: { more: oneCallEach },
    asks: {
      runtime: reasons.runtime,
      network: {
        why: 'more than nothing may be more than your settings give',
        unless: (mode) => mode === undefined || mode === 'none',
      },
      allowHost: 'it may be more than your settings give',
      secret: reasons.secret,
      secretFile: reasons.secret,
      mount: 'it shows files of this machine inside',
      allowRoot: 'commands could run as root inside',
      withChanges: 'it takes uncommitted files of your checkout along',
    },
  },
  version: 1,
  input: z.strictObject({
    name: flag(z.optional(z.string()), {
      help: 'Its name. Default: one is made up.',
      place: 'argument',
      value: 'NAME',
    }),
    more: moreNames('Others to make as well, alike.'),
    from: flag(z.optional(z.string()), { help: 'The commit to start from. Default: HEAD.', value: 'REV' }),
    target: flag(z.optional(z.string()), {
      help: 'The branch the work is meant to go back to. Default: the one checked out.',
      value: 'BRANCH',
    }),
    title: flag(z.optional(z.string()), { help: 'What it is for, in a few words.', value: 'TEXT' }),
    image: flag(z.optional(z.string()), {
      help: 'OCI image of the container, or machine: one made from this machine’s own programs, without a registry.',
      value: 'REF',
    }),
    runtime: flag(z.optional(z.enum(runtimeKinds)), {
      help: 'What runs it. Default: docker where an engine answers.',
      value: 'KIND',
    }),
    network: flag(z.optional(z.enum(networkModes)), {
      help: 'What it may reach: everything, only the hosts it lists, or nothing. Default: open.',
      value: 'MODE',
    }),
    allowHost: flag(z._default(z.array(z.string()), []), {
      help: 'A host it may reach, such as example.org, *.example.org or example.org:22, and no others; repeatable. Means --network allowlist.',
      value: 'HOST',
    }),
    memory: flag(z.optional(z.string()), { help: 'Memory limit, such as 4g or 512m.', value: 'SIZE' }),
    cpus: flag(z.optional(z.coerce.number().check(z.positive())), {
      help: 'Processor limit, such as 1.5.',
      value: 'N',
    }),
    secret: flag(z._default(z.array(z.string()), []), secretFacts),
    secretFile: flag(z._default(z.array(z.string()), []), secretFileFacts),
    mount: flag(z._default(z.array(z.string()), []), {
      help: 'Show a file or directory of this machine inside, read-only unless :rw follows; repeatable.',
      value: 'SOURCE:TARGET[:rw]',
    }),
    allowRoot: flag(z._default(z.boolean(), false), { help: 'Allow exec --root in it.' }),
    withChanges: flag(z._default(z.boolean(), false), {
      help: 'Carry the uncommitted and untracked files of the checkout along, as a first checkpoint.',
    }),
    count: flag(z._default(z.coerce.number().check(z.int(), z.minimum(1), z.maximum(100)), 1), {
      help: 'How many, named NAME-1 to NAME-N.',
      value: 'N',
    }),
  }),
  async run(context, input) {
    const workplace = await context.workplace();
    await sweepInterrupted(workplace, await listEnvironments(workplace));
    const request = {
      from: input.from,
      target: input.target,
      title: input.title,
      withChanges: input.withChanges,
      flags: specOf(input, context.surroundings.cwd),
      confirm: context.confirm,
    };
    const results = await eachOf(namesFor(input), async (name) =>
      createdView(await createEnvironment(workplace, { ...request, name }, context.report, context.signal)),
    );
    return {
      environments: results.flatMap((each) => (each.error === null ? [withoutError(each)] : [])),
      refused: results.flatMap((each) => (each.error === null ? [] : [{ name: each.name, error: each.error }])),
    };
  },
  render: ({ environments, refused }, style) => {
    const all: readonly Each<Made>[] = [...environments.map((each) => ({ ...each, error: null })), ...refused];
    return renderEach(all, (each) => createdText(each, style), 'made', style);
  },
  exitStatus: ({ environments, refused }) =>
    statusOfEach(refused) || (environments.some(({ stage }) => stage === 'setup-failed') ? 1 : 0),
});

type Made = ReturnType<typeof createdView>;

function createdView({ environment, timings, left }: Created) {
  return {
    ...environmentView(environment),
    stage: environment.record.stage,
    network: networkView(environment.record.spec.network),
    notCarried: heldView(left),
    milliseconds: {
      files: Math.round(timings.files),
      git: Math.round(timings.git),
      container: Math.round(timings.container),
      total: Math.round(timings.total),
    },
  };
}

function withoutError<View extends object>({ error: _none, ...view }: View & { readonly error: null }) {
  return view;
}

function createdText(each: Made, style: Style): string {
  return [
    `${style.bold(each.name)}  ${style.dim(`${(each.milliseconds.total / 1000).toFixed(2)} s`)}${
      each.stage === 'setup-failed' ? `  ${style.red('setup failed')}` : ''
    }`,
    `  branch    ${each.branch}, from ${short(each.base)}${each.target === null ? '' : `, back to ${each.target}`}`,
    `  worktree  ${each.worktree}`,
    `  runs in   ${each.runtime}${each.image === null ? '' : ` (${safe(each.image)})`}`,
    ...(each.network.mode === 'open' ? [] : [`  network   ${describeNetwork(each.network)}`]),
    ...notCarried(each.notCarried, style),
  ].join('\n');
}

/** They are where they were, in the checkout; the environment has what was committed of them. */
function notCarried(held: HeldView, style: Style): readonly string[] {
  if (held.length === 0) return [];
  return ['  not carried along, and left in the checkout:', renderHeld(held, style)];
}

function namesFor({ name, more, count }: NameFlags): readonly (string | undefined)[] {
  if (count === 1) return namesOf(name, more);
  if (more !== undefined) {
    throw new CoppiceError('usage', 'options-clash', '--count goes with one NAME.', {
      hint: 'Give the names, or one and how many of it.',
    });
  }
  return Array.from({ length: count }, (_, index) => (name === undefined ? undefined : `${name}-${index + 1}`));
}

interface NameFlags {
  readonly name?: string | undefined;
  readonly more?: readonly string[] | undefined;
  readonly count: number;
}

interface SpecFlags {
  readonly image?: string | undefined;
  readonly runtime?: Spec['runtime'];
  readonly network?: NetworkMode | undefined;
  readonly allowHost: readonly string[];
  readonly memory?: string | undefined;
  readonly cpus?: number | undefined;
  readonly allowRoot: boolean;
  readonly mount: readonly string[];
  readonly secret: readonly string[];
  readonly secretFile: readonly string[];
}

function specOf(input: SpecFlags, cwd: string): Spec {
  const limits = {
    ...(input.memory === undefined ? {} : { memory: parseSize(input.memory) }),
    ...(input.cpus === undefined ? {} : { cpus: input.cpus }),
  };
  return {
    ...(input.image === undefined ? {} : { image: input.image }),
    ...(input.runtime === undefined ? {} : { runtime: input.runtime }),
    ...networkOf(input),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(input.allowRoot ? { root: true } : {}),
    ...(input.mount.length === 0 ? {} : { mounts: input.mount.map((each) => parseMount(each, cwd)) }),
    secrets: parseSecrets(input, cwd),
  };
}

function networkOf({ network, allowHost }: SpecFlags): Pick<Spec, 'network'> {
  for (const entry of allowHost) parseAllowEntry(entry);
  if (allowHost.length > 0 && network !== undefined && network !== 'allowlist') {
    throw new CoppiceError(
      'usage',
      'not-an-allowlist',
      `--allow-host and --network ${network} contradict each other.`,
      {
        hint: 'Leave --network out: hosts to allow mean an allowlist.',
      },
    );
  }
  if (allowHost.length > 0) return { network: { mode: 'allowlist', allow: [...allowHost] } };
  return network === undefined ? {} : { network };
}

const units: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Docker's notation: a number and b, k, m, g or t. Engines refuse less than 6 MiB. */
function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([bkmgt]?)b?$/i.exec(text.trim());
  const bytes = match === null ? 0 : Math.round(Number(match[1]) * (units[(match[2] || 'b').toLowerCase()] ?? 1));
  if (bytes >= 6 * 2 ** 20) return bytes;
  throw new CoppiceError('usage', 'bad-size', `${JSON.stringify(text)} is no memory size.`, {
    hint: 'Give a number and a unit, at least 6m: for example 512m or 4g.',
  });
}
