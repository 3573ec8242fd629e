/**
 * Saves the files of submodules while an environment is watched: a while after the checkpoint that met them, beside the
 * checkpoints and never before one, and so rarely that it costs little.
 */
import type { BytePath } from '../domain/byte-path.ts';
import { CoppiceError } from '../domain/error.ts';
import type { Environment } from './environment.ts';
import { saveSubmoduleFiles } from './submodules.ts';
import type { Workplace } from './workplace.ts';

export interface SubmoduleSaver {
  /** After a look at these paths, or at everything: of the submodules that have files, those concerned are saved soon. */
  met(submodules: readonly BytePath[], paths: readonly BytePath[] | undefined): void;
  /** Whether a directory in a submodule is watched: what it ignores itself nobody knows here, so there is a bound. */
  watches(directory: BytePath): boolean;
  /** Resolves once nothing of it runs any more. */
  close(): Promise<void>;
}

/** Milliseconds between two, at least. */
const pause = 1_000;
/** And so many times as long as the last took: a twentieth of a core. */
const share = 20;
/** Directories in the submodules of one environment. */
const mostDirectories = 1_000;

export function submoduleSaver(workplace: Workplace, environment: Environment): SubmoduleSaver {
  const waiting = new Set<BytePath>();
  const watched = new Set<BytePath>();
  let notBefore = 0;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let closed = false;

  const arm = () => {
    if (closed || timer !== undefined || running !== undefined || waiting.size === 0) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        running = saveAll().finally(() => {
          running = undefined;
          arm();
        });
      },
      Math.max(0, notBefore - performance.now()),
    );
  };

  const saveAll = async () => {
    const started = performance.now();
    for (const path of [...waiting]) {
      if (closed) break;
      waiting.delete(path);
      try {
        await saveSubmoduleFiles(workplace, environment, path);
      } catch (error) {
        // The next look, or the next command, tries again, and tells.
        if (!(error instanceof CoppiceError)) throw error;
      }
    }
    const now = performance.now();
    notBefore = now + Math.max(pause, (now - started) * share);
  };

  return {
    met(submodules, paths) {
      const concerned = (submodule: BytePath) =>
        paths === undefined || paths.some((path) => `${path}/`.startsWith(`${submodule}/`));
      for (const submodule of submodules) if (concerned(submodule)) waiting.add(submodule);
      arm();
    },
    watches(directory) {
      if (watched.size < mostDirectories) watched.add(directory);
      return watched.has(directory);
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
