/** The demo's repository: a throw-away copy of coppice's own. */
import { existsSync } from 'node:fs';
import { cp, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CoppiceError } from '../../domain/error.ts';
import { run } from '../../platform/process.ts';
import { childEnvironment, type Surroundings } from '../../platform/surroundings.ts';

/** Where this program's own files are: the nearest folder above it with a package.json that is coppice's. */
export async function packageRoot(program: string): Promise<string> {
  for (let directory = dirname(program); directory !== dirname(directory); directory = dirname(directory)) {
    const manifest = join(directory, 'package.json');
    if (existsSync(manifest) && JSON.parse(await readFile(manifest, 'utf8')).name === 'coppice') return directory;
  }
  throw new CoppiceError('failed', 'no-own-files', 'The demo cannot find coppice’s own files.', {
    hint: 'Run it from an installed coppice or from its repository.',
  });
}

/** A clone where there is a repository; where coppice was installed as a package, a new one of its files. */
export async function copyOwnRepository(surroundings: Surroundings, from: string, to: string): Promise<void> {
  const env = { ...childEnvironment(surroundings), GIT_CONFIG_COUNT: '0' };
  const git = async (...args: readonly string[]) => {
    const { status, stderr } = await run('git', args, { env });
    if (status !== 0) throw new CoppiceError('failed', 'demo-git', `git ${args[0] ?? ''} failed: ${stderr.trim()}`);
  };
  if (existsSync(join(from, '.git'))) await git('clone', '-q', '--no-hardlinks', from, to);
  else {
    await git('init', '-q', '-b', 'main', to);
    for (const part of ['README.md', 'LICENSE', 'package.json', 'dist']) {
      if (existsSync(join(from, part))) await cp(join(from, part), join(to, part), { recursive: true });
    }
  }
  await git('-C', to, 'config', 'user.name', 'Demo');
  await git('-C', to, 'config', 'user.email', 'demo@localhost');
  // A clone of a detached HEAD has no branch to go back to.
  await git('-C', to, 'checkout', '-q', '-B', 'main');
  if (!existsSync(join(from, '.git'))) {
    await git('-C', to, 'add', '-A');
    await git('-C', to, 'commit', '-q', '-m', 'Coppice');
  }
}

/** The history as git draws it. */
export async function graphOf(surroundings: Surroundings, repository: string): Promise<string> {
  const args = ['-C', repository, 'log', '--graph', '--format=%h %s', '-16', 'main'];
  return (await run('git', args, { env: childEnvironment(surroundings) })).stdout.toString('utf8').trimEnd();
}
