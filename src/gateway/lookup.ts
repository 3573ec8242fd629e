/** Names as the system resolves them: hosts file, DNS, whatever is configured. */
import { lookup } from 'node:dns/promises';

/** IPv4 first: not every network that answers with IPv6 addresses also leads there. None for a name that does not exist. */
export async function systemLookup(name: string): Promise<readonly string[]> {
  try {
    const found = await lookup(name, { all: true, verbatim: true });
    return found.toSorted((one, other) => one.family - other.family).map(({ address }) => address);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return [];
  }
}
