/** How a host name that was asked for and denied is written down: whoever asked chose it. Pure. */

/** Bytes: all that is kept has to fit into one line of a container's log (16 KiB). */
const longest = 80;
/** What stands for the rest of a longer one. */
const cut = '...';

export function deniedHost(given: string): string {
  const plain = plainName(given);
  return plain.length <= longest ? plain : `${plain.slice(0, longest - cut.length)}${cut}`;
}

export function isCut(host: string): boolean {
  return host.length === longest && host.endsWith(cut);
}

/** Only plain characters go on. */
export function plainName(host: string): string {
  return host.replace(/[^\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
