/** What of the network an environment may reach, and what was asked for and denied. */
import * as z from 'zod/mini';
import { complaintAbout, isCovered, joinAllow } from './allowlist.ts';

export const networkModes = ['open', 'allowlist', 'none'] as const;
export type NetworkMode = (typeof networkModes)[number];

/** As a resolved spec has it. The two words are how records have always said it. */
export const networkSchema = z.union([
  z.enum(['open', 'none']),
  z.object({ mode: z.literal('allowlist'), allow: z.array(z.string()) }),
]);
export type Network = z.infer<typeof networkSchema>;

const allowEntrySchema = z.string().check(
  z.refine((text) => complaintAbout(text) === undefined, {
    error: (issue) => `is no host: ${complaintAbout(String(issue.input)) ?? ''}`,
  }),
);

/** As people write it: a mode, or a mode with the hosts that may be reached; hosts alone mean `allowlist`. */
export const networkWishSchema = z.union([
  z.enum(networkModes),
  z.strictObject({
    mode: z.optional(z.enum(networkModes)),
    /** `example.org` (ports 80 and 443), `*.example.org:443`, `example.org:22`, `example.org:*`, `10.1.2.3`, `10.0.0.0/8:5432`. */
    allow: z.optional(z.array(allowEntrySchema)),
  }),
]);
export type NetworkWish = z.infer<typeof networkWishSchema>;

/** One host and port that was asked for and not let through. */
export interface Denial {
  /** As it was asked for: an attacker may have chosen it. */
  readonly host: string;
  /** Null when only its name was looked up. */
  readonly port: number | null;
  readonly reason: DenialReason;
  readonly count: number;
  /** ISO 8601. */
  readonly first: string;
  readonly last: string;
}

/** `not-listed`; `private`: allowed, but its address is the machine's or its network's; `no-name`: TLS that does not say whom it calls. */
export const denialReasons = ['not-listed', 'private', 'no-name'] as const;
export type DenialReason = (typeof denialReasons)[number];

export const denialSchema = z.object({
  host: z.string(),
  port: z.nullable(z.number()),
  reason: z.enum(denialReasons),
  count: z.number(),
  first: z.string(),
  last: z.string(),
});

export const denialsSchema = z.object({
  /** All there were, also those no longer listed. */
  total: z.number(),
  recent: z.array(denialSchema),
});
/** What was denied, the latest first; only so many are kept. */
export type Denials = z.infer<typeof denialsSchema>;

export const noDenials: Denials = { total: 0, recent: [] };

export function modeOf(network: Network): NetworkMode {
  return typeof network === 'string' ? network : network.mode;
}

export function allowedHosts(network: Network): readonly string[] {
  return typeof network === 'string' ? [] : network.allow;
}

/** No more than either gives. Where entries of two lists overlap in part only, neither of them stays. */
export function narrower(one: Network, other: Network): Network {
  if (one === 'none' || other === 'open') return one;
  if (other === 'none' || one === 'open') return other;
  const shared = [
    ...one.allow.filter((host) => isCovered(host, other.allow)),
    ...other.allow.filter((host) => isCovered(host, one.allow)),
  ];
  return { mode: 'allowlist', allow: [...joinAllow(shared)] };
}
