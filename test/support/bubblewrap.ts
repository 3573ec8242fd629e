/** Bubblewrap for the tests that need it: installed when root runs them, asked for otherwise. Never a silent skip. */
import { execFileSync } from 'node:child_process';

export function requireBubblewrap(): void {
  if (works('bwrap', '--version')) return;
  if (process.getuid?.() !== 0) throw new Error('These tests need bubblewrap: apt-get install bubblewrap.');
  execFileSync('apt-get', ['update'], { stdio: 'ignore' });
  execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'bubblewrap'], { stdio: 'ignore' });
}

/** Once, before the workers: two of them installing at the same moment would be in each other's way. */
export function setup(): void {
  requireBubblewrap();
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
