/** Paths whose content is not searched for what looks like a secret: the patterns of .gitignore, from the top of the tree. */
import type { BytePath } from '../../../domain/byte-path.ts';
import { parseIgnoreRules } from '../ignore-rules.ts';

export function openAllowedPaths(patterns: readonly string[]): (path: BytePath) => boolean {
  if (patterns.length === 0) return () => false;
  const rules = parseIgnoreRules(Buffer.from(patterns.join('\n'), 'utf8').toString('latin1'), false);
  return (path) => {
    const names = path.split('/');
    return names.some((name, index) => {
      const here = names.slice(0, index + 1).join('/');
      return rules.verdict(here, name, index < names.length - 1) === 'ignored';
    });
  };
}
