/** stdout is the protocol's: whatever comes in and whatever runs, each line of it is a message. */
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { scene } from './support.ts';

it('writes nothing but messages to stdout, and ends with its client', async () => {
  const { cli } = scene();
  await cli.json(['create', 'a']);
  const child = cli.start(['mcp', '--json']);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const messages = () =>
    text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { jsonrpc: string; id?: number; result?: { isError?: boolean } });
  const send = (message: object) => child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const answer = async (id: number) => {
    await eventually(() => messages().some((each) => each.id === id));
    return messages().find((each) => each.id === id);
  };
  const clientInfo = { name: 'raw', version: '1' };
  send({ id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } });
  await answer(1);
  send({ method: 'notifications/initialized' });
  child.stdin?.write('this is no message\n{"half":\n\0\x1b[2J\n');
  const noise =
    'printf "\\033[31mred\\n{\\"jsonrpc\\":\\"2.0\\"}\\n"; echo oops >&2; head -c 300000 /dev/zero | tr "\\0" x';
  send({
    id: 2,
    method: 'tools/call',
    params: { name: 'exec', arguments: { name: 'a', command: ['sh', '-c', noise] } },
  });
  send({ id: 3, method: 'tools/call', params: { name: 'exec', arguments: { name: 'nix', command: ['true'] } } });
  send({ id: 4, method: 'no/such/method' });
  expect((await answer(3))?.result?.isError).toBe(true);
  await answer(4);
  expect((await answer(2))?.result?.isError).toBeUndefined();
  expect(messages().every(({ jsonrpc }) => jsonrpc === '2.0')).toBe(true);
  // It ends with its client, and leaves nothing running.
  send({
    id: 5,
    method: 'tools/call',
    params: { name: 'exec', arguments: { name: 'a', command: ['sh', '-c', 'trap "" INT; sleep 600'] } },
  });
  await eventually(async () => (await cli.run(['status', 'a'])).stdout.includes('  runs sh'));
  child.stdin?.end();
  const [status] = (await once(child, 'exit')) as [number];
  expect(status).toBe(0);
  expect((await cli.run(['status', 'a'])).stdout).not.toContain('  runs ');
});
