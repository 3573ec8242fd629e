/**
 * File names that git refuses to record, or that `git fsck --strict` complains about: `.git` and whatever a
 * case-folding file system, HFS+ or NTFS would take for it (git's verify_path and fsck are the models).
 */

/** One clause for people, or undefined when the name is fine. `name` holds one character per byte. */
export function unrecordable(name: string, link: boolean): string | undefined {
  if (isDotGit(name)) return 'git reserves this name, or one that some file systems take for it';
  if (link && isDotGitmodules(name)) return 'git does not record a symbolic link named .gitmodules';
  return undefined;
}

/** NTFS takes a backslash for a separator, so that each part counts as a name. */
function isDotGit(name: string): boolean {
  return isHfsDot(name, '.git') || name.split('\\').some((part) => /^(?:\.git|git~1)[. ]*(?:$|:)/i.test(part));
}

function isDotGitmodules(name: string): boolean {
  return isHfsDot(name, '.gitmodules') || name.split('\\').some((part) => ntfsGitmodules.test(part));
}

/** Its long name, its usual short names, and the hashed ones of eight characters that NTFS falls back to. */
const ntfsGitmodules = new RegExp(
  `^(?:\\.gitmodules|gitmod~[1-4]|${['gi7eba', 'gi7eb', 'gi7e', 'gi7', 'gi', 'g', '']
    .map((start) => `${start}~[1-9][0-9]{${6 - start.length}}`)
    .join('|')})[. ]*(?:$|:)`,
  'i',
);

/** Code points that HFS+ leaves out when it compares names. */
const leftOut = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/** Bytes that are not UTF-8 end the name for git. */
function isHfsDot(name: string, wanted: string): boolean {
  if (!name.startsWith('.') && !/^[\xe2\xef]/.test(name)) return false;
  const [readable = ''] = Buffer.from(name, 'latin1').toString('utf8').split('\ufffd');
  return readable.replace(leftOut, '').toLowerCase() === wanted;
}
