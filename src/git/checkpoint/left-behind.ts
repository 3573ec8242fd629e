/**
 * Keeps the checkpoints that somebody left behind by moving or deleting the branch by hand: git forgets them with the
 * branch's reflog, and they may be the only place where a file's earlier content is.
 */
import type { EnvironmentName } from '../../domain/environment-name.ts';
import type { Oid } from '../../domain/oid.ts';
import { refsOf } from '../../domain/ref-layout.ts';
import type { RefName } from '../../domain/ref-name.ts';
import type { HostGit } from '../host-git.ts';

/** How often another name is tried when somebody else keeps something at the same time. */
const attempts = 5;

/** `last`: where the branch was when it was last seen. Nothing to do where anything of the environment still reaches it. */
export async function keepLeftBehind(git: HostGit, name: EnvironmentName, branch: RefName, last: Oid): Promise<void> {
  const { prefix, record, tail } = refsOf(name);
  const reached = ['--ignore-missing', '--max-count=1', last, '--not', branch, `--glob=${prefix}*`];
  const { status, stdout } = await git.run(['rev-list', ...reached], { allow: [0, 128] });
  // 128: it is not there any more, or torn; there is nothing that could be kept.
  if (status !== 0 || stdout.length === 0) return;
  for (let attempt = 0; attempt < attempts; attempt++) {
    // An environment that was removed has put away everything itself: its references must not come back.
    const owner = await git.run(['rev-parse', '--verify', '--quiet', record], { allow: [0, 1, 128] });
    if (owner.status !== 0) return;
    const commands = [
      'start',
      `verify ${record} ${owner.stdout.toString('latin1').trim()}`,
      `create ${tail(await nextTail(git, `${prefix}tails/`))} ${last}`,
      'prepare',
      'commit',
    ];
    const input = `${commands.join('\n')}\n`;
    const kept = await git.run(['update-ref', '-m', 'coppice: left behind', '--stdin'], { input, allow: [0, 128] });
    if (kept.status === 0) return;
  }
}

async function nextTail(git: HostGit, prefix: string): Promise<number> {
  const names = (await git.text(['for-each-ref', '--format=%(refname)', prefix])).split('\n');
  return 1 + Math.max(0, ...names.map((name) => Number(name.slice(prefix.length))).filter(Number.isInteger));
}
