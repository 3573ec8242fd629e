/** The proxy of a sandbox, on the host: the same rules, reached by a unix socket that is mounted inside. */
import { once } from 'node:events';
import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Denials } from '../domain/network.ts';
import type { ProxyConfiguration } from './configuration.ts';
import { denialLog } from './denials.ts';
import { interfaceAddresses } from './gateway.ts';
import { httpProxy } from './http.ts';
import { systemLookup } from './lookup.ts';
import { makePolicy } from './policy.ts';
import { makeReach } from './reach.ts';

export async function runProxy({ directory, denied, allow }: ProxyConfiguration): Promise<void> {
  const policy = makePolicy({ allow, own: interfaceAddresses }, systemLookup);
  const reach = makeReach(policy, denialLog(writer(denied)));
  const ready = join(directory, 'ready');
  const server = httpProxy({ reach, onHello: () => void writeFile(ready, '') });
  // By descriptor, kept open: the path of a socket has room for 107 bytes only (unix(7)).
  const opened = await open(directory);
  server.listen(`/proc/self/fd/${opened.fd}/socket`);
  await once(server, 'listening');
}

/** One after the other; readers see the old file or the new one. */
function writer(file: string): (denials: Denials) => void {
  let last = Promise.resolve();
  return (denials) => {
    last = last.then(async () => {
      await writeFile(`${file}.new`, JSON.stringify(denials), { mode: 0o600 });
      await rename(`${file}.new`, file);
    });
  };
}
