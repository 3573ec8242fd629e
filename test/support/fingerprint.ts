/** Everything of a user's checkout that coppice must not touch, as one comparable value. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Content, mode and modification time of every file below `directory`, except where `skip` says so. */
export function fingerprintOf(
  directory: string,
  skip: (path: string) => boolean = () => false,
): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (at: string) => {
    for (const name of readdirSync(at).sort()) {
      const path = join(at, name);
      const key = relative(directory, path);
      if (skip(key)) continue;
      const stat = lstatSync(path);
      if (stat.isDirectory()) visit(path);
      else if (stat.isSymbolicLink()) found[key] = `link ${readlinkSync(path)}`;
      else
        found[key] =
          `${stat.mode.toString(8)} ${stat.mtimeMs} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
    }
  };
  visit(directory);
  return found;
}

/** A checkout with its git directory, without what coppice owns there: its references, registrations, caches, objects. */
export function fingerprintOfCheckout(directory: string): Record<string, string> {
  return fingerprintOf(directory, (path) =>
    /^\.git\/(objects|coppice|worktrees|refs\/coppice|refs\/heads\/coppice|logs\/refs\/coppice|logs\/refs\/heads\/coppice|packed-refs)(\/|$)/.test(
      path,
    ),
  );
}

/** Every file's content and mode, for comparing trees; times and git directories left out. */
export function contentOf(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [path, value] of Object.entries(fingerprintOf(directory, (key) => key === '.git'))) {
    const [mode = '', , digest = ''] = value.split(' ');
    found[path] = value.startsWith('link ') ? value : `${mode} ${digest}`;
  }
  return found;
}
