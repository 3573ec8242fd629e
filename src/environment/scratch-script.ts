/** The beginning of scripts that work inside on something else than the environment's own files. */

/** What killed scripts left behind goes: their directories are named after their processes. */
const sweep = `
for each in "\${TMPDIR:-/tmp}"/coppice-merge.*.*; do
  test -d "$each" || continue
  owner=\${each##*/coppice-merge.}
  kill -0 "\${owner%%.*}" 2>/dev/null && continue
  git worktree remove --force "$each/tree" >/dev/null 2>&1
  rm -rf "$each"
done
git worktree prune
`;

/**
 * Sets `$work`, a directory of its own that goes at the end, with a worktree at `$work/tree` if there is one, and with
 * `ref`, which held what was pushed in for it. What the script's commands print goes to stderr; the answer goes to 3.
 */
export function scratchScript(ref: string): string {
  return `set -u
exec 3>&1 1>&2
${sweep}
work=$(mktemp -d "\${TMPDIR:-/tmp}/coppice-merge.$$.XXXXXX") || exit 1
top=$PWD
clean() {
  cd "$top"
  git worktree remove --force "$work/tree" >/dev/null 2>&1
  rm -rf "$work"
  git worktree prune
  git update-ref -d ${ref}
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
`;
}

/** For after one that was interrupted, and could not clean up by itself. */
export function sweepScript(ref: string): string {
  return `${sweep}git update-ref -d ${ref}\n`;
}
