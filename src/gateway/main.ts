/**
 * The program that stands between an environment with an allowlist and the network. Its last argument is its
 * configuration in JSON. It is bundled into one file without any package, so that it runs wherever there is a node.
 */
import type { Configuration } from './configuration.ts';
import { runForwarder } from './forwarder.ts';
import { runGateway } from './gateway.ts';
import { runProxy } from './proxy.ts';

const configuration = JSON.parse(process.argv.at(-1) ?? '') as Configuration;
// As process 1 of a container it gets no signal it does not ask for.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));

switch (configuration.kind) {
  case 'gateway':
    void runGateway(configuration);
    break;
  case 'proxy':
    void runProxy(configuration);
    break;
  case 'forwarder':
    runForwarder(configuration);
    break;
}
