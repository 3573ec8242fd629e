/** How a container with an allowlist joins its own network. */
import type { Addresses } from './private-network.ts';

/** How the container joins: which address it has, whom it asks for names, and what it lacks. */
export interface Joining {
  readonly addresses: Addresses;
  readonly sysctls: Readonly<Record<string, string>>;
}
