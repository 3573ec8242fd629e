import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { startGate } from '../../../src/runtime/docker/start-gate.ts';

async function through(chunks: readonly string[]): Promise<{ dropped: boolean; shown: string }> {
  const gate = startGate(1_000);
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
