/** Environment names: one path component that is at once a reference, a directory and a container name anywhere. */
import type { Brand } from './brand.ts';
import { CoppiceError } from './error.ts';

export type EnvironmentName = Brand<string, 'EnvironmentName'>;

const shape = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;
/** Under refs/coppice `trash` is a folder of its own, and `resolutions` a reference. */
const reserved = new Set(['trash', 'resolutions']);

export function isEnvironmentName(text: string): text is EnvironmentName {
  return shape.test(text) && !text.includes('..') && !text.endsWith('.lock') && !reserved.has(text);
}

/** Lower case only, so that two names never meet on a file system that ignores case. */
export function parseEnvironmentName(text: string): EnvironmentName {
  if (isEnvironmentName(text)) return text;
  const suggestion = suggestName(text);
  throw new CoppiceError('usage', 'bad-environment-name', `${JSON.stringify(text)} cannot name an environment.`, {
    hint: `Use 1 to 63 lower-case letters, digits, '.', '_' or '-', starting and ending with a letter or digit${
      suggestion === undefined ? '.' : `, for example ${suggestion}.`
    }`,
    data: suggestion === undefined ? {} : { suggestion },
  });
}

function suggestName(text: string): string | undefined {
  const mended = text
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/\.\.+/g, '.')
    .replace(/^[._-]+|[._-]+$/g, '')
    .slice(0, 60)
    .replace(/[._-]+$/, '');
  return isEnvironmentName(mended) ? mended : undefined;
}
