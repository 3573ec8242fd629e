/** git-lfs for the tests that compare with it: installed when root runs them, asked for otherwise. Never a silent skip. */
import { execFileSync } from 'node:child_process';

/** Once, before the workers. */
export function setup(): void {
  if (works('git', 'lfs', 'version')) return;
  if (process.getuid?.() !== 0) throw new Error('These tests need git-lfs: apt-get install git-lfs.');
  execFileSync('apt-get', ['update'], { stdio: 'ignore' });
  execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'git-lfs'], { stdio: 'ignore' });
}

function works(command: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}
