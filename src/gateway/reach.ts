/** Connects to an allowed host, or says why not; each denial is noted. */
import { connect, type Socket } from 'node:net';
import type { DenialLog } from './denials.ts';
import { normal, type Policy } from './policy.ts';

export type Reached =
  | { readonly kind: 'connected'; readonly socket: Socket }
  | { readonly kind: 'denied'; readonly sentence: string }
  | { readonly kind: 'failed'; readonly sentence: string };

export type Reach = (host: string, port: number) => Promise<Reached>;

/** Milliseconds for one address. */
const patience = 15_000;
/** How many addresses of a name are tried. */
const attempts = 4;

export function makeReach(policy: Policy, denials: DenialLog): Reach {
  return async (host, port) => {
    const decision = await policy.decide(host, port);
    if (decision.kind === 'denied') {
      denials.add(normal(host), port, decision.reason);
      return { kind: 'denied', sentence: explain(host, port, decision.reason) };
    }
    if (decision.kind === 'unknown') return { kind: 'failed', sentence: `${host} cannot be resolved.` };
    for (const address of decision.addresses.slice(0, attempts)) {
      const socket = await connected(address, port);
      if (socket !== undefined) return { kind: 'connected', socket };
    }
    return { kind: 'failed', sentence: `${host} does not answer at port ${port}.` };
  };
}

export function explain(host: string, port: number, reason: 'not-listed' | 'private' | 'no-name'): string {
  if (reason === 'private') return `${host} leads to an address of this machine or its network, which is not allowed.`;
  return `${host}:${port} is not on the allowlist of this environment; whoever runs it can allow it with coppice start --allow-host.`;
}

function connected(address: string, port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, allowHalfOpen: true });
    const giveUp = () => {
      socket.destroy();
      resolve(undefined);
    };
    socket.setTimeout(patience, giveUp);
    socket.once('error', giveUp);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', giveUp);
      // Whoever uses it watches its end; an error is one.
      socket.on('error', () => socket.destroy());
      socket.setKeepAlive(true, 60_000);
      resolve(socket);
    });
  });
}

/** Both directions until both have ended; what one still has to write when the other is gone is written first. */
export function splice(one: Socket, other: Socket): void {
  one.pipe(other);
  other.pipe(one);
  one.once('close', (broken) => (broken ? other.destroy() : other.destroySoon()));
  other.once('close', (broken) => (broken ? one.destroy() : one.destroySoon()));
}
