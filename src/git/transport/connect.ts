/** Starts git on the host and git inside, and has them talk. */
import type { HostGit } from '../host-git.ts';
import type { OpenPipe } from '../transport.ts';
import { converse, type Ended, type Limits } from './conversation.ts';

/** Only for the calls made here: to `fd::3` and to nothing else, in the protocol that needs no round trip to begin. */
const overPipe = ['protocol.file.allow=never', 'protocol.fd.allow=always', 'protocol.version=0'];

export interface HostEnd {
  readonly args: readonly string[];
  readonly gitDirectory?: string;
  readonly config: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface InsideEnd {
  readonly open: OpenPipe;
  /** `git upload-pack …` or `git receive-pack …`. */
  readonly command: readonly string[];
}

/** If one end does not start, the other is ended. */
export async function connect(git: HostGit, host: HostEnd, inside: InsideEnd, limits: Limits): Promise<Ended> {
  const pipe = await inside.open(served(inside.command, limits.total));
  const { args, ...call } = host;
  try {
    const started = await git.start(args, { ...call, config: [...overPipe, ...host.config], extraPipes: 1 });
    return await converse(started, pipe, limits);
  } catch (error) {
    await pipe.kill();
    throw error;
  }
}

/**
 * Under `timeout` where the image has it: a server can outlive the connection to it (FACTS §8), and then nobody else ends
 * it. Protocol version 0 speaks first, which is what a single pipe wants; it is what git uses without GIT_PROTOCOL.
 */
function served(command: readonly string[], milliseconds: number): readonly string[] {
  return ['sh', '-c', script, String(Math.ceil(milliseconds / 1_000)), ...command];
}

const script = 'unset GIT_PROTOCOL; if command -v timeout >/dev/null 2>&1; then exec timeout "$0" "$@"; fi; exec "$@"';
