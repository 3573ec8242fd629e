/** Finds the engine that answers. */
import { CoppiceError } from '../../domain/error.ts';
import { childEnvironment, type Surroundings } from '../../platform/surroundings.ts';
import { type Endpoint, endpointsOf } from './endpoint.ts';
import { type EngineClient, engineClient } from './engine-client.ts';

/** Milliseconds an engine has for its first answer. Through ssh the connection itself takes a while. */
const patience = { socket: 5_000, tcp: 10_000, ssh: 30_000 };

/** The first endpoint that answers. Throws `engine-unreachable` with what was tried and what each said. */
export async function connect(surroundings: Surroundings): Promise<EngineClient> {
  const endpoints = await endpointsOf(surroundings);
  const tried: { address: string; error: string }[] = [];
  for (const endpoint of endpoints) {
    const client = engineClient(endpoint, childEnvironment(surroundings));
    try {
      await client.get('/version', patience[endpoint.way.kind]);
      return client;
    } catch (error) {
      client.close();
      tried.push({ address: endpoint.address, error: reasonOf(error) });
    }
  }
  throw unreachable(endpoints, tried);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'no such socket';
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'EACCES') return 'permission denied';
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'no answer in time';
  return error.message;
}

function unreachable(
  endpoints: readonly Endpoint[],
  tried: readonly { address: string; error: string }[],
): CoppiceError {
  const explicit = endpoints.find(({ source }) => source !== 'default');
  const denied = tried.find(({ error }) => error === 'permission denied');
  const message =
    explicit === undefined
      ? `No container engine answers; tried ${tried.map((each) => `${each.address} (${each.error})`).join(', ')}.`
      : `The engine at ${explicit.address}, named by ${explicit.source}, does not answer: ${tried[0]?.error}.`;
  const hint =
    denied === undefined
      ? 'Start Docker or Podman, or use --runtime sandbox.'
      : `You may not use ${denied.address}: join its group (often "docker"), or use --runtime sandbox.`;
  return new CoppiceError('unavailable', 'engine-unreachable', message, { hint, data: { tried } });
}
