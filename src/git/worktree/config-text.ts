/** Writes git configuration files: everything quoted, so that no value can become a second setting. Pure. */

/** `section.key` or `section.subsection.key`, as `git config --list` prints them, and the value. */
export type Setting = readonly [key: string, value: string];

export function configText(settings: readonly Setting[]): string {
  const lines: string[] = [];
  let header = '';
  for (const [key, value] of settings) {
    const { section, variable } = split(key);
    if (section !== header) lines.push(section);
    header = section;
    lines.push(`\t${variable} = "${escaped(value)}"`);
  }
  return `${lines.join('\n')}\n`;
}

/** The first and the last dot count: a subsection may have dots of its own. */
function split(key: string): { readonly section: string; readonly variable: string } {
  const first = key.indexOf('.');
  const last = key.lastIndexOf('.');
  const variable = key.slice(last + 1);
  const name = key.slice(0, first);
  if (first === last) return { section: `[${name}]`, variable };
  return { section: `[${name} "${key.slice(first + 1, last).replace(/["\\]/g, '\\$&')}"]`, variable };
}

function escaped(value: string): string {
  return value
    .replace(/["\\]/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/\t/g, '\\t')
    .replace(/[\0\r]/g, '');
}

/** A remote's URL without what a password or token could hide in: the whole user part, but for ssh, where it is a name. */
export function withoutCredentials(url: string): string {
  return url.replace(
    /^((?:[\w+.-]+::)?([a-z][a-z0-9+.-]*):\/\/)([^/?#]*)@/i,
    (_, start: string, scheme: string, user: string) => {
      const name = user.split(':')[0] ?? '';
      return /ssh/i.test(scheme) && name !== '' ? `${start}${name}@` : start;
    },
  );
}
