/** Which of the two ways to run a sandbox works on this machine. */
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { run } from '../../platform/process.ts';
import type { Surroundings } from '../../platform/surroundings.ts';
import { commonArguments } from './bubblewrap.ts';
import { type HostView, hostView } from './host-view.ts';

export interface SandboxOptions {
  /** Where the files about containers are, e.g. `<data directory>/.sandboxes`. */
  readonly stateDirectory: string;
  readonly surroundings: Surroundings;
  /** Default: bubblewrap where it works, else plain. */
  readonly variant?: 'bubblewrap' | 'plain';
  /** Path of the bundled gateway: without it there are no allowlists. */
  readonly gateway?: string;
}

export type Variant =
  | { readonly kind: 'bubblewrap'; readonly description: string; readonly view: HostView }
  | { readonly kind: 'plain'; readonly description: string };

/** What a sandbox shows of this machine. Only looks at directories: cheap beside `findVariant`, which runs programs. */
export function viewFor({ surroundings, stateDirectory }: SandboxOptions): Promise<HostView> {
  const { home, dataDirectory, configDirectory, runtimeDirectory } = surroundings;
  return hostView({
    hidden: [home, dataDirectory, configDirectory, surroundings.stateDirectory, runtimeDirectory, stateDirectory],
    node: process.execPath,
  });
}

/** Throws `engine-unreachable` when bubblewrap is asked for by name and does not work. */
export async function findVariant(options: SandboxOptions): Promise<Variant> {
  if (process.platform !== 'linux') {
    throw new CoppiceError('unavailable', 'engine-unreachable', 'The sandbox runtime works on Linux only.', {
      hint: 'Start Docker or Podman and use --runtime docker.',
    });
  }
  if (options.variant === 'plain') return plain('as asked');
  const { surroundings } = options;
  const view = await viewFor(options);
  const tried = await tryBubblewrap(view, surroundings);
  if (tried.works) return { kind: 'bubblewrap', description: `${tried.said}, without a container engine`, view };
  if (options.variant === undefined) return plain(tried.said);
  throw new CoppiceError('unavailable', 'engine-unreachable', `bubblewrap does not work here: ${tried.said}`, {
    hint: 'Install bubblewrap 0.8 or newer and allow unprivileged user namespaces.',
  });
}

function plain(why: string): Variant {
  return {
    kind: 'plain',
    description: `Plain processes on this machine, NOT isolated from your files (${why})`,
  };
}

/** Really runs something in it: an installed bubblewrap is often forbidden to make namespaces. */
async function tryBubblewrap(
  view: HostView,
  surroundings: Surroundings,
): Promise<{ readonly works: boolean; readonly said: string }> {
  const env = { PATH: pathOf(surroundings) };
  try {
    const trial = [...commonArguments(view, surroundings, surroundings), '--', 'setsid', '--fork', 'true'];
    const { status, stderr } = await run('bwrap', trial, { env });
    if (status !== 0) return { works: false, said: stderr.trim() };
    const version = await run('bwrap', ['--version'], { env });
    return { works: true, said: version.stdout.toString('utf8').trim() };
  } catch (error) {
    if (!hasCode(error, 'program-missing')) throw error;
    return { works: false, said: 'bubblewrap is not installed' };
  }
}

export function pathOf(surroundings: Surroundings): string {
  return surroundings.env.PATH ?? '/usr/local/bin:/usr/bin:/bin';
}
