/**
 * What an agent can plant, and where it bites. Each vector is two shell texts: `plant` is run where the agent is, `host` is
 * what a tool does on the host when git, or the tool itself, is let near what the agent can write. The payload, and every
 * `host` that sees something of the outside, makes the canary file.
 *
 * Variables: `$G` a git directory, `$T` the tree, `$X` a program in it that makes the canary, `$CANARY`, `$OUTSIDE` a
 * directory that is none of the agent's business with a file `secret`, `$SECRETS` a repository of the user's with the same
 * text in a commit `$HIDDEN`.
 */

export interface Vector {
  readonly name: string;
  readonly plant: string;
  /** In the tree. The naive tool: it is known to be bitten. */
  readonly host: string;
  /** Git inside does not work any more, so that nothing can come out of it: planted in an environment of its own. */
  readonly breaksGit?: true;
  /** Git inside waits for ever. */
  readonly hangsGit?: true;
}

export type Group = 'hooks' | 'settings' | 'git directory' | 'files' | 'names';

const commit = 'git commit -q --allow-empty -m x';
const conflict =
  'git stash -q; git checkout -q -b side HEAD~1; echo s > a.txt; git commit -qam s; git checkout -q main; git merge -q side';
const receive = 'git clone -q . ../clone; git -C ../clone commit -q --allow-empty -m c; git -C ../clone push -q origin';
const merge =
  'git checkout -q -b side HEAD~1; git commit -q --allow-empty -m s; git checkout -q main; git merge -q --no-ff -m m side';

/** Which command of git runs which hook (githooks(5)). */
const hooks: Readonly<Record<string, string>> = {
  'pre-commit': commit,
  'prepare-commit-msg': commit,
  'commit-msg': commit,
  'post-commit': commit,
  'applypatch-msg': 'git format-patch -q -1 -o ..; git reset -q --hard HEAD~1; git am -q ../0001-*',
  'pre-applypatch': 'git format-patch -q -1 -o ..; git reset -q --hard HEAD~1; git am -q ../0001-*',
  'post-applypatch': 'git format-patch -q -1 -o ..; git reset -q --hard HEAD~1; git am -q ../0001-*',
  'pre-merge-commit': merge,
  'post-merge': merge,
  'post-checkout': 'git checkout -q -b side',
  'post-index-change': 'touch -d 2001-01-01 a.txt; git status',
  'reference-transaction': 'git update-ref refs/x HEAD',
  'pre-rebase': 'git rebase -q --force-rebase HEAD~1',
  'post-rewrite': 'git commit -q --amend -m y',
  'pre-push': 'git init -q --bare ../bare.git; git push -q ../bare.git HEAD:refs/heads/x',
  'pre-receive': `${receive} HEAD:refs/heads/new`,
  update: `${receive} HEAD:refs/heads/new`,
  'post-receive': `${receive} HEAD:refs/heads/new`,
  'post-update': `${receive} HEAD:refs/heads/new`,
  'push-to-checkout': `git config receive.denyCurrentBranch updateInstead; ${receive} HEAD:main`,
  'proc-receive': `git config receive.procReceiveRefs refs; ${receive} HEAD:refs/heads/new`,
  'pre-auto-gc': `git repack -q; ${commit}; git repack -q; git -c gc.autoPackLimit=1 -c gc.autoDetach=false gc --auto --quiet`,
};

/** A setting that names a program, and the command that runs it. */
const settings: Readonly<Record<string, { readonly set: readonly string[]; readonly host: string }>> = {
  'core.fsmonitor': { set: ['core.fsmonitor "$X"'], host: 'git status' },
  'core.hooksPath': { set: ['core.hooksPath "$T/evil/hooks"'], host: commit },
  'core.sshCommand': { set: ['core.sshCommand "$X"'], host: 'git ls-remote ssh://nowhere.invalid/x' },
  'core.gitProxy': { set: ['core.gitProxy "$X"'], host: 'git ls-remote git://nowhere.invalid/x' },
  'core.pager': { set: ['core.pager "$X"'], host: "script -qec 'git log' /dev/null" },
  'pager.COMMAND': { set: ['pager.log "$X"'], host: "script -qec 'git log' /dev/null" },
  'core.editor': { set: ['core.editor "$X"'], host: 'git commit --allow-empty' },
  'sequence.editor': { set: ['sequence.editor "$X"'], host: 'git rebase -i HEAD~1' },
  'core.askPass': { set: ['core.askPass "$X"'], host: "printf 'protocol=https\\nhost=h\\n\\n' | git credential fill" },
  'core.alternateRefsCommand': {
    set: ['core.alternateRefsCommand "$X"'],
    host: 'git init -q --bare ../o.git; echo "$PWD/../o.git/objects" > .git/objects/info/alternates; git rev-list --all --alternate-refs',
  },
  'credential.helper': { set: ['credential.helper "!$X"'], host: 'echo url=https://h | git credential fill' },
  'diff.external': { set: ['diff.external "$X"'], host: 'git diff HEAD~1' },
  'diff.DRIVER.textconv': { set: ['diff.evil.textconv "$X"'], host: 'git diff HEAD~1' },
  'diff.DRIVER.command': { set: ['diff.evil.command "$X"'], host: 'git diff HEAD~1' },
  'difftool.TOOL.cmd': { set: ['diff.tool evil', 'difftool.evil.cmd "$X"'], host: 'git difftool -y HEAD~1 </dev/null' },
  'filter.DRIVER.clean': { set: ['filter.evil.clean "$X"'], host: 'echo z >> a.txt; git add a.txt' },
  'filter.DRIVER.smudge': { set: ['filter.evil.smudge "$X"'], host: 'rm a.txt; git checkout a.txt' },
  'filter.DRIVER.process': { set: ['filter.evil.process "$X"'], host: 'echo z >> a.txt; git add a.txt' },
  'merge.DRIVER.driver': { set: ['merge.evil.driver "$X"'], host: conflict },
  'gpg.program': { set: ['gpg.program "$X"'], host: `${commit} -S` },
  'gpg.ssh.program': {
    set: ['gpg.format ssh', 'gpg.ssh.program "$X"', 'user.signingKey "$T/a.txt"'],
    host: `${commit} -S`,
  },
  'gpg.ssh.defaultKeyCommand': { set: ['gpg.format ssh', 'gpg.ssh.defaultKeyCommand "$X"'], host: `${commit} -S` },
  'alias.COMMAND': { set: ['alias.lg "!$X"'], host: 'git lg' },
  'include.path': { set: ['include.path "$T/evil/included"'], host: 'git status' },
  'includeIf.CONDITION.path': { set: ['includeIf.gitdir:/.path "$T/evil/included"'], host: 'git status' },
  'remote.NAME.uploadpack': { set: ['remote.origin.url .', 'remote.origin.uploadpack "$X"'], host: 'git fetch -q' },
  'remote.NAME.receivepack': {
    set: ['remote.origin.url .', 'remote.origin.receivepack "$X"'],
    host: 'git push -q origin HEAD:refs/heads/x',
  },
  'remote.NAME.url with ext::': {
    set: ['protocol.ext.allow always', 'remote.origin.url "ext::$X"'],
    host: 'git fetch -q',
  },
  'tar.FORMAT.command': { set: ['tar.evil.command "$X"'], host: 'git archive --format=evil HEAD' },
  'trailer.TOKEN.command': {
    set: ['trailer.x.command "$X"'],
    host: 'git interpret-trailers --trailer x=1 < a.txt',
  },
  'submodule.NAME.update': {
    set: ['submodule.x.url "$T/evil/sub"', 'submodule.x.update "!$X"', 'submodule.x.active true'],
    host: 'git clone -q evil/sub vendored; git -C vendored commit -q --allow-empty -m n; printf "[submodule \\"x\\"]\\npath = vendored\\n" > .gitmodules; git update-index --add --cacheinfo "160000,$(git -C evil/sub rev-parse HEAD),vendored"; git submodule update',
  },
};

function settingVector(name: string, { set, host }: { set: readonly string[]; host: string }): Vector {
  return { name, plant: set.map((each) => `git config -f "$G/config" ${each}`).join('\n'), host };
}

/** What several vectors lean on: run once, before all others. */
export const preparation = `
mkdir -p evil/hooks
printf '#!/bin/sh\\ntouch %s 2>/dev/null\\n:\\n' "$CANARY" > "$X"; chmod +x "$X"
cp "$X" evil/hooks/pre-commit
printf '[core]\\n\\tfsmonitor = %s\\n' "$X" > evil/included
printf 'a.txt filter=evil diff=evil merge=evil\\n' > .gitattributes
git init -q evil/sub; git -C evil/sub -c user.name=e -c user.email=e@e commit -q --allow-empty -m sub
`;

/** A repository of the agent's own whose git directory is poisoned. */
const poisoned = (path: string) => `git init -q "${path}"; git -C "${path}" config core.fsmonitor "$X"`;

/** One with a commit, which git takes for a submodule. */
const nested = (path: string) =>
  `git init -q "${path}"; cd "${path}"; echo n > n.txt; git add n.txt; git -c user.name=e -c user.email=e@e commit -qm n; cd "$T"`;

const gitDirectory: readonly Vector[] = [
  {
    name: 'info/attributes',
    plant:
      'mkdir -p "$G/info"; echo "* filter=evil" > "$G/info/attributes"; git config -f "$G/config" filter.evil.clean "$X"',
    host: 'rm -f .gitattributes; echo z >> a.txt; git add a.txt',
  },
  {
    name: 'config.worktree',
    plant:
      'git config -f "$G/config" extensions.worktreeConfig true; git config -f "$G/config.worktree" core.fsmonitor "$X"',
    host: 'git status',
  },
  {
    name: 'core.worktree',
    breaksGit: true,
    plant: 'git config -f "$G/config" core.worktree "$OUTSIDE"',
    host: 'git reset -q --hard; test -e "$OUTSIDE/a.txt" && touch "$CANARY"',
  },
  {
    name: 'a promisor that is fetched from when an object is missing',
    breaksGit: true,
    plant:
      'git config -f "$G/config" extensions.partialClone evil; git config -f "$G/config" remote.evil.promisor true; git config -f "$G/config" remote.evil.url .; git config -f "$G/config" remote.evil.uploadpack "$X"',
    host: 'git cat-file -p 1111111111111111111111111111111111111111',
  },
  {
    name: '.git replaced by another repository',
    breaksGit: true,
    plant: `mv "$T/.git" "$T/elsewhere" && ${poisoned('$T')}`,
    host: 'git status',
  },
  {
    name: '.git replaced by a file that leads elsewhere',
    breaksGit: true,
    plant: `${poisoned('$T/evil/other')}; rm -rf "$T/.git" && echo "gitdir: $T/evil/other/.git" > "$T/.git"`,
    host: 'git status',
  },
  {
    name: '.git replaced by a link',
    breaksGit: true,
    plant: `${poisoned('$T/evil/other')}; rm -rf "$T/.git" && ln -s "$T/evil/other/.git" "$T/.git"`,
    host: 'git status',
  },
  {
    name: 'commondir',
    breaksGit: true,
    plant: `${poisoned('$T/evil/common')}; echo "$T/evil/common/.git" > "$G/commondir"`,
    host: 'git status',
  },
  {
    name: 'HEAD that is a pipe',
    hangsGit: true,
    plant: 'rm -f "$G/HEAD"; mkfifo "$G/HEAD"',
    host: 'timeout 1 git status; test $? = 124 && touch "$CANARY"',
  },
  {
    name: 'alternates that point out',
    breaksGit: true,
    plant: 'echo "$SECRETS/.git/objects" >> "$G/objects/info/alternates"; echo "$HIDDEN" > "$G/refs/heads/stolen"',
    host: 'git init -q --bare ../user.git; git --git-dir=../user.git fetch -q "$T" refs/heads/stolen; git --git-dir=../user.git cat-file -e "$HIDDEN" && touch "$CANARY"',
  },
  {
    name: 'a branch that is a link out',
    breaksGit: true,
    plant: 'ln -sf "$SECRETS/.git/refs/heads/main" "$G/refs/heads/linked"',
    host: 'test "$(git rev-parse linked)" = "$HIDDEN" && touch "$CANARY"',
  },
  {
    name: 'refs/replace',
    plant:
      'git --git-dir="$G" update-ref "refs/replace/$(git --git-dir="$G" rev-parse HEAD)" "$(git --git-dir="$G" -c user.name=e -c user.email=e@e commit-tree -m "Not what was committed" "HEAD^{tree}")"',
    host: 'test "$(git log -1 --format=%s)" = "Not what was committed" && touch "$CANARY"',
  },
];

const files: readonly Vector[] = [
  {
    name: 'a nested repository with a monitor',
    plant: `${nested('$T/nested')}; git -C "$T/nested" config core.fsmonitor "$X"`,
    host: 'git add nested; git status',
  },
  {
    name: 'a nested repository with a filter',
    plant: `${nested('$T/filtered')}; git -C "$T/filtered" config filter.evil.clean "$X"; echo "* filter=evil" > "$T/filtered/.gitattributes"`,
    host: 'git add filtered; touch -d 2001-01-01 filtered/n.txt; git status',
  },
  {
    name: 'a bare repository among the files',
    plant:
      'git init -q --bare "$T/docs"; git config -f "$T/docs/config" core.bare false; git config -f "$T/docs/config" core.worktree "$T/docs"; git config -f "$T/docs/config" core.fsmonitor "$X"',
    host: 'cd docs; git status',
  },
  {
    name: 'a .git file below that leads to a poisoned one',
    plant: `${poisoned('$T/evil/far')}; mkdir -p "$T/led"; echo "gitdir: $T/evil/far/.git" > "$T/led/.git"`,
    host: 'cd led; git status',
  },
  {
    name: 'a link to a file outside',
    plant: 'ln -sf "$OUTSIDE/secret" "$T/stolen"',
    host: 'cp -rL stolen ../copy; grep -rq topsecret ../copy && touch "$CANARY"',
  },
  {
    name: 'a link to a directory outside, written through',
    plant: 'ln -sfn "$OUTSIDE" "$T/through"',
    host: 'echo merged > through/result; test -e "$OUTSIDE/result" && touch "$CANARY"',
  },
  {
    name: 'links up, to the root and to themselves',
    plant: 'ln -sfn ../../../../../../../../../.. "$T/up"; ln -sfn / "$T/root"; ln -sfn loop "$T/loop"',
    host: 'cat "root$OUTSIDE/secret" | grep -q topsecret && touch "$CANARY"',
  },
  {
    name: 'a hard link to a file outside',
    plant: 'ln "$OUTSIDE/secret" "$T/hard"',
    host: 'grep -q topsecret hard && touch "$CANARY"',
  },
  {
    name: 'a pipe in a file’s place',
    plant: 'rm -f "$T/pipe"; mkfifo "$T/pipe"; rm -f "$T/.gitignore"; mkfifo "$T/.gitignore"',
    host: 'timeout 1 cat pipe; test $? = 124 && touch "$CANARY"',
  },
  {
    name: 'a socket',
    plant:
      'node -e \'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, 9))\' "$T/socket"',
    host: 'cp -r . ../copy; test -S ../copy/socket && touch "$CANARY"',
  },
  {
    name: 'a file of a terabyte that takes no room',
    plant: 'truncate -s 1T "$T/sparse"',
    host: 'timeout 1 sha1sum sparse; test $? = 124 && touch "$CANARY"',
  },
  {
    name: 'a program that runs as its owner',
    plant: 'cp "$X" "$T/setuid"; chmod 4755 "$T/setuid"',
    host: 'cp -a setuid ../copy; test -u ../copy && touch "$CANARY"',
  },
  {
    name: 'a submodule whose URL is an option',
    plant:
      'printf \'[submodule "y"]\\n\\tpath = "-q"\\n\\turl = "--upload-pack=%s"\\n\\tupdate = "!%s"\\n\' "$X" "$X" > "$T/.gitmodules"',
    host: 'git ls-remote "$(git config -f .gitmodules submodule.y.url)" .',
  },
  {
    name: 'a submodule whose path leads out',
    plant: 'printf \'[submodule "z"]\\n\\tpath = ../../..%s\\n\\turl = x\\n\' "$OUTSIDE" > "$T/evil/modules"',
    host: 'at=$(git config -f evil/modules submodule.z.path | cut -c9-); touch "$at/result"; test -e "$OUTSIDE/result" && touch "$CANARY"',
  },
];

/** Obeyed by a terminal: a colour, a title, a cleared screen, an answer that is typed for the user. */
export const sequences = '\\033[31m\\033]0;owned\\007\\033[2J\\033[6n\\302\\233[8m\\342\\200\\256';

const names: readonly Vector[] = [
  {
    name: 'a branch that is an option',
    plant:
      'at="$G/refs/heads/--upload-pack=$X"; mkdir -p "$(dirname "$at")"; cat "$G/refs/heads/$(git --git-dir="$G" symbolic-ref --short HEAD)" > "$at"',
    host: 'git for-each-ref --format="%(refname:lstrip=2)" refs/heads | while read -r each; do git fetch -q . "$each"; done',
  },
  {
    name: 'a file that is an option',
    plant: 'cd "$T"; echo o > ./--output=written; echo o > ./--upload-pack=x; echo o > ./-rf',
    host: 'git diff HEAD~1 --output=* >/dev/null; test -e written && touch "$CANARY"',
  },
  {
    name: 'sequences for the terminal in a file’s name',
    plant: `cd "$T"; echo s > "$(printf 'name-${sequences}')"; printf 'first\\nsecond' | tr '\\n' '\\001' > /dev/null; echo l > "$(printf 'a\\nb')"`,
    host: `ls | grep -q "$(printf '\\033')" && touch "$CANARY"`,
  },
  {
    name: 'sequences in a file',
    plant: `cd "$T"; printf '${sequences} text\\n' > sequences.txt`,
    host: `git add sequences.txt; git diff --cached | grep -q "$(printf '\\033')" && touch "$CANARY"`,
  },
  {
    name: 'sequences in a branch’s name',
    plant: `head=$(git --git-dir="$G" rev-parse HEAD); echo "$head" > "$G/refs/heads/$(printf 'b-\\302\\233[8m\\342\\200\\256')"; echo "$head" > "$G/refs/heads/$(printf 'c-\\033[31m')"`,
    host: `ls .git/refs/heads | grep -q "$(printf '\\033')" && touch "$CANARY"`,
  },
  {
    name: 'sequences in a commit’s message and author',
    plant: `git --git-dir="$G" update-ref HEAD "$(printf 'Subject ${sequences}\\n\\nBody ${sequences}\\n' | git --git-dir="$G" -c user.name="$(printf 'Eve ${sequences}' | tr -d '\\n')" -c user.email=e@e commit-tree -p HEAD 'HEAD^{tree}')"`,
    host: `git log -1 --format='%an %s' | grep -q "$(printf '\\033')" && touch "$CANARY"`,
  },
];

export const vectors: Readonly<Record<Group, readonly Vector[]>> = {
  hooks: Object.entries(hooks).map(([name, host]) => ({
    name,
    plant: `mkdir -p "$G/hooks"; cp "$X" "$G/hooks/${name}"`,
    host,
  })),
  settings: Object.entries(settings).map(([name, each]) => settingVector(name, each)),
  'git directory': gitDirectory,
  files,
  names,
};
