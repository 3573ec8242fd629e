/** How long after the last write the branch had it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ground, nativeTree, tipOf } from '../faults/ground.ts';

/** Milliseconds without a move of the branch before it is asked whether everything is saved. */
const restful = 1_200;
const hangs = 600_000;

/** Milliseconds from the call until the branch had what the files are. Nobody writes meanwhile. */
export async function quietToSaved(ground: Ground, name: string, begun = performance.now()): Promise<number> {
  const ref = join(ground.common, 'refs/heads/coppice', name);
  const tip = () => (existsSync(ref) ? readFileSync(ref, 'latin1').trim() : '');
  const seen = [{ oid: tip() || tipOf(ground, name), after: 0 }];
  let rest = restful;
  for (let movedAt = performance.now(); ; ) {
    await new Promise((next) => setTimeout(next, 4));
    const oid = tip();
    const now = performance.now();
    if (oid !== '' && oid !== seen.at(-1)?.oid) {
      seen.push({ oid, after: now - begun });
      movedAt = now;
    }
    if (now - movedAt < rest) continue;
    const wanted = nativeTree(ground, name);
    const saved = seen.find(({ oid }) => ground.repository.git('rev-parse', `${oid}^{tree}`) === wanted);
    if (saved !== undefined) return saved.after;
    if (now - begun > hangs) throw new Error(`${name} was not saved within ${hangs / 1000} s`);
    movedAt = performance.now();
    rest *= 2;
  }
}
