/**
 * What `git fsck --strict` refuses in a .gitmodules file, because some version of git has run it or followed it: a repository
 * that has such an object can no longer be pushed to a server that checks. git's fsck and submodule-config are the models.
 */

/** One clause for people, or undefined when git has nothing against it. Rather strict than lenient: it is only held. */
export function refusedModules(content: Buffer): string | undefined {
  const text = content.toString('latin1').replace(/\\\r?\n/g, '');
  for (const [, quoted, plain] of text.matchAll(/\[\s*submodule\s*(?:"((?:[^"\\]|\\.)*)"|\.([^\]]*))\s*\]/gi)) {
    const name = (quoted ?? plain ?? '').replace(/\\(.)/g, '$1');
    if (name === '' || name.split(/[/\\]/).includes('..')) return 'it has a submodule with a name that leads elsewhere';
  }
  for (const [, key = '', raw = ''] of text.matchAll(/(?:^|[\]\n])[ \t]*(update|url|path)[ \t]*=[ \t]*([^\n]*)/gi)) {
    const value = raw.replaceAll('"', '').trim();
    if (/^update$/i.test(key) && value.startsWith('!')) return 'it has a command that git would run';
    if (/^(url|path)$/i.test(key) && value.startsWith('-')) return `it has a ${key} that git would take for an option`;
    if (/^url$/i.test(key) && /\\n|%0a|%0d/i.test(value)) return 'it has a url with a line break in it';
  }
  return undefined;
}
