/** `--mount SOURCE:TARGET[:rw]`. */
import { resolve } from 'node:path';
import { CoppiceError } from '../domain/error.ts';
import type { MountRequest } from '../domain/host-access.ts';
import { mountSchema } from '../domain/spec.ts';

/** The source is meant from the directory the caller stands in. */
export function parseMount(text: string, cwd: string): MountRequest {
  const [, source = '', target = '', mode = 'ro'] = /^(.+?):([^:]+)(?::(ro|rw))?$/.exec(text) ?? [];
  const path = /^~(?:\/|$)/.test(source) ? source : resolve(cwd, source);
  const mount = { source: path, target, readOnly: mode === 'ro' };
  const parsed = mountSchema.safeParse(mount);
  if (source !== '' && parsed.success) return mount;
  const why = source === '' ? 'needs a source and a target' : `: the target ${parsed.error?.issues[0]?.message ?? ''}`;
  throw new CoppiceError('usage', 'bad-mount', `The mount ${JSON.stringify(text)} ${why}.`.replace(' :', ':'), {
    hint: 'Write SOURCE:TARGET, or SOURCE:TARGET:rw to let the agent change it: --mount ~/datasets:/data',
  });
}
