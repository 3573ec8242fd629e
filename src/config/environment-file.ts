/** The spec a repository carries: `.coppice/environment.json`, as it is in the commit an environment starts from. */
import { type Spec, specSchema } from '../domain/spec.ts';
import { parseSettings } from './explain.ts';

export const environmentFile = '.coppice/environment.json';

/** No file is an empty spec. Throws `bad-environment-file` (kind `usage`). */
export function parseEnvironmentFile(bytes: Uint8Array | undefined): Spec {
  if (bytes === undefined) return {};
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return parseSettings(text, specSchema, { name: environmentFile, code: 'bad-environment-file' });
}
