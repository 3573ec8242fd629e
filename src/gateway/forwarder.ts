/** Inside a sandbox that has no network: what connects to the loopback's port comes out at the proxy's socket. Decides nothing. */
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import type { ForwarderConfiguration } from './configuration.ts';
import { splice } from './reach.ts';

export function runForwarder({ socket, port }: ForwarderConfiguration): void {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const out = connect({ path: socket, allowHalfOpen: true });
    out.on('error', () => client.destroy());
    client.on('error', () => out.destroy());
    splice(client, out);
  });
  server.listen(port, '127.0.0.1', () => {
    // The proxy cannot see this port: it is told that it is open.
    request({ socketPath: socket, method: 'OPTIONS', path: '*' }, (answer) => answer.resume())
      .on('error', () => undefined)
      .end();
  });
}
