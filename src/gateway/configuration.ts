/** What a gateway is told when it is started, and what it tells: the contract between the program and the runtimes. */
import type { Denials } from '../domain/network.ts';

/** In a container of its own, on the network of one environment's container and on one that leads outside. */
export interface GatewayConfiguration {
  readonly kind: 'gateway';
  /** Its own IPv4 address on the environment's network. */
  readonly address: string;
  /** The address there that an engine may give to the host: nobody must have it. */
  readonly engine: string;
  readonly allow: readonly string[];
  /** The host's addresses. */
  readonly own: readonly string[];
}

/** On the host, for a sandbox without any network: reached by a socket that is mounted inside. */
export interface ProxyConfiguration {
  readonly kind: 'proxy';
  /** A directory: `socket`, `ready` and `denied.json` are made in it. */
  readonly directory: string;
  /** Where what was denied is written, which the inside does not see. */
  readonly denied: string;
  readonly allow: readonly string[];
}

/** Inside such a sandbox: joins a port of the loopback to the socket. */
export interface ForwarderConfiguration {
  readonly kind: 'forwarder';
  readonly socket: string;
  readonly port: number;
}

export type Configuration = GatewayConfiguration | ProxyConfiguration | ForwarderConfiguration;

/** A line of the gateway's output. */
export type Told =
  | { readonly ready: true }
  /** It does not serve, and why. */
  | { readonly failed: string }
  | { readonly denied: Denials };

/** Where programs that know of proxies find it. */
export const proxyPort = 3128;
