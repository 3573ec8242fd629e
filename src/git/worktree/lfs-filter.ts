/**
 * The filter of Git LFS for an agent's own git directory, in shell: most images have no git-lfs, and without a filter git inside
 * would call every such file modified, and commit its content. Runs inside only, with the format of git-lfs; where an image
 * configures git-lfs itself, that one's process comes first.
 */
import type { Setting } from './config-text.ts';

/** No `%` but that of `%f`: git would take it for a placeholder. */
const toTemporary = 't=$(mktemp) && cat >"$t" || exit 1; s=$(($(wc -c <"$t")))';
const version = 'version https://git-lfs.github.com/spec/v1';
const pathOfObject = `$(git rev-parse --git-dir)/lfs/objects/$(echo "$1" | cut -c1-2)/$(echo "$1" | cut -c3-4)`;

const clean = [
  'if command -v git-lfs >/dev/null 2>&1; then exec git-lfs clean -- %f; fi',
  toTemporary,
  `if [ "$s" -eq 0 ] || { [ "$s" -lt 1024 ] && read -r l <"$t" && [ "$l" = "${version}" ]; }; then cat "$t"; rm -f "$t"; exit 0; fi`,
  'set -- $(sha256sum <"$t"); [ -n "$1" ] || exit 1',
  `d=${pathOfObject}; mkdir -p "$d" && chmod 644 "$t" && mv -f "$t" "$d/$1" || exit 1`,
  `echo "${version}"; echo "oid sha256:$1"; echo "size $s"`,
].join('; ');

/** Content that is not there is not fetched: the pointer stays, as with a filter that skips. */
const smudge = [
  toTemporary,
  'set --; if [ "$s" -lt 1024 ]; then set -- $(sed -n "s/^oid sha256://p" "$t"); fi',
  `f=${pathOfObject}/$1`,
  'if [ -n "$1" ] && [ -f "$f" ]; then cat "$f"; else cat "$t"; fi; rm -f "$t"',
].join('; ');

export const lfsFilter: readonly Setting[] = [
  ['filter.lfs.clean', clean],
  ['filter.lfs.smudge', smudge],
  // An image without the few programs that this takes must still have a git that works.
  ['filter.lfs.required', 'false'],
];

/** A hook that `git lfs install` wrote and nobody has added to. They fetch, push and lock, none of which happens inside. */
export function isHookOfLfs(content: string): boolean {
  const lines = content.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return lines.length > 0 && lines.every((line) => /^command -v git-lfs |^git lfs [a-z-]+ "\$@"$/.test(line));
}
