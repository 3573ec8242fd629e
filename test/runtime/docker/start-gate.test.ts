import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { guardTells, podmanTells, startGate, type Teller } from '../../../src/runtime/docker/start-gate.ts';

async function through(
  chunks: readonly string[],
  teller: Teller = guardTells,
): Promise<{ dropped: boolean; shown: string }> {
  const gate = startGate(1_000, teller);
  const shown = text(gate.stream);
  for (const chunk of chunks) gate.stream.write(chunk);
  await new Promise((resolve) => setImmediate(resolve));
  const dropped = gate.drop();
  gate.stream.end();
  return { dropped, shown: await shown };
}

describe('the guard’s message', () => {
  const message = '[FATAL tini (7)] exec x failed: No such file or directory\n';

  test('is dropped, in one piece or in many', async () => {
    expect(await through([message])).toEqual({ dropped: true, shown: '' });
    expect(await through([...message])).toEqual({ dropped: true, shown: '' });
  });

  test.each([[['']], [['[FATAL']], [['[FATAL ', 'error: mine\n']], [[message, 'and more\n']], [['plain\n', message]]])(
    'anything else is shown: %j',
    async (chunks) => {
      expect(await through(chunks)).toEqual({ dropped: false, shown: chunks.join('') });
    },
  );
});

describe('Podman’s message', () => {
  const message =
    'Error: runc: exec failed: unable to start container process: exec: "x": executable file not found in $PATH: OCI runtime attempted to invoke a command that was not found\n';
  const more = 'Error: read unixpacket @->/proc/self/fd/14/attach: read: connection reset by peer\n';

  test.each([[[message]], [[...message]], [[message, more]], [[message + more]]])('is dropped: %j', async (chunks) => {
    expect(await through(chunks, podmanTells)).toEqual({ dropped: true, shown: '' });
  });

  test.each([[['Error: mine\n']], [['Error: ', 'mine\n', message]], [[message, 'Error: and mine\n']]])(
    'anything else is shown: %j',
    async (chunks) => {
      expect(await through(chunks, podmanTells)).toEqual({ dropped: false, shown: chunks.join('') });
    },
  );
});
