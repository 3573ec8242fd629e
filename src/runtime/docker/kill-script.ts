/**
 * The script that finds an exec inside its container and ends or signals it. POSIX sh, and builtins only: it starts no
 * process, so that it works at the limit of processes and in an image that has little more than a shell.
 */

/**
 * `$1` is the mark in the exec's environment, `$2` is `tree` or a signal's name without SIG.
 *
 * Each exec runs under tini as a subreaper, so that whatever the command starts stays below it: children in a session
 * of their own, double forks, even without the environment. tini itself is recognised by its parent, who is outside
 * (ppid 0), and the mark. To end the tree, tini is stopped first — it would leave when the command does, and its
 * remaining children would escape — then everything below it is stopped and killed, from the leaves up, until nothing
 * lives, then tini.
 *
 * A signal goes to the command's process group, as Ctrl-C in a terminal does: a shell alone would wait for its child.
 *
 * Without tini (Podman) the same is done from the command on, and then to all that carries the mark; this misses what
 * threw its environment away and whose parent has ended.
 */
export const killScript = `
mark=$1
what=$2
walk() {
  for task in /proc/"$1"/task/*; do
    children=
    read -r children <"$task/children"
    for child in $children; do
      lives "$child" || continue
      alive=yes
      end_with_children "$child"
    done
  done
}
end_with_children() {
  kill -STOP "$1"
  walk "$1"
  kill -KILL "$1"
}
lives() {
  read -r line <"/proc/$1/stat" || return 1
  line=\${line##*) }
  case $line in Z* | X*) return 1 ;; esac
}
carries() {
  while read -r line || [ -n "$line" ]; do
    case $line in *"$mark"*) return 0 ;; esac
  done <"/proc/$1/environ"
  return 1
}
end_below() {
  kill -STOP "$1"
  while
    alive=
    walk "$1"
    [ -n "$alive" ]
  do :; done
  kill -KILL "$1"
}
end_marked() {
  rounds=0
  while
    alive=
    for directory in /proc/[0-9]*; do
      other=\${directory##*/}
      lives "$other" && carries "$other" || continue
      alive=yes
      kill -KILL "$other"
    done
    rounds=$((rounds + 1))
    [ -n "$alive" ] && [ $rounds -lt 200 ]
  do :; done
}
signal_group() {
  kill -"$what" -"$1" || kill -"$what" "$1"
}
found=
for directory in /proc/[0-9]*; do
  pid=\${directory##*/}
  read -r line <"$directory/stat" || continue
  line=\${line##*) }
  line=\${line#* }
  [ "\${line%% *}" = 0 ] && carries "$pid" && found=$pid && break
done 2>/dev/null
{
  guard=
  [ -n "$found" ] && read -r guard <"/proc/$found/comm"
  case $what:$guard in
  tree:*)
    [ -n "$found" ] && end_below "$found"
    [ "$guard" = docker-init ] || end_marked
    ;;
  *:docker-init)
    children=
    read -r children <"/proc/$found/task/$found/children"
    for child in $children; do
      signal_group "$child"
      break
    done
    ;;
  *) [ -n "$found" ] && signal_group "$found" ;;
  esac
} 2>/dev/null
exit 0
`;
