/** A user's checkout with some of everything in it, and a picture of all of it to compare byte for byte. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Oid, parseOid } from '../../../src/domain/oid.ts';
import { createMerging } from '../../../src/git/merge/merging.ts';
import type { Merging } from '../../../src/git/merging.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import type { Repository } from '../../../src/git/repository.ts';
import { type Surroundings, surroundingsOf } from '../../../src/platform/surroundings.ts';
import { type FileContent, makeRepository, type TestRepository, writeFiles } from '../../support/repository.ts';

export interface Fixture {
  readonly made: TestRepository;
  readonly repository: Repository;
  readonly merging: Merging;
  readonly surroundings: Surroundings;
  /** A commit on top of `parent` with these files; null removes one. No checkout changes. */
  commitOn(parent: Oid, files: Readonly<Record<string, FileContent | null>>): Oid;
  tip(branch: string): Oid;
  picture(): ReadonlyMap<string, string>;
}

export async function makeFixture(files: Readonly<Record<string, FileContent>>, cwd?: string): Promise<Fixture> {
  const made = makeRepository({ files });
  return fixtureOf(made, cwd ?? made.path);
}

export async function fixtureOf(made: TestRepository, cwd: string): Promise<Fixture> {
  const surroundings = surroundingsOf(cwd, made.env);
  const repository = await openRepository(surroundings, cwd);
  const tip = (branch: string) => parseOid(made.git('rev-parse', branch));
  let scratch = 0;
  const commitOn: Fixture['commitOn'] = (parent, changed) => {
    scratch += 1;
    const aside = join(made.directory, `aside-${scratch}`);
    made.git('clone', '-q', '--shared', '--no-checkout', made.path, aside);
    made.gitIn(aside, 'checkout', '-q', '--detach', parent);
    const kept = Object.entries(changed).filter((entry): entry is [string, FileContent] => entry[1] !== null);
    const gone = Object.entries(changed).filter(([, content]) => content === null);
    if (gone.length > 0) made.gitIn(aside, 'rm', '-q', ...gone.map(([path]) => path));
    writeFiles(aside, Object.fromEntries(kept));
    made.gitIn(aside, 'add', '-A');
    made.gitIn(aside, 'commit', '-q', '--allow-empty', '-m', `change ${scratch}`);
    made.git('fetch', '-q', '--no-write-fetch-head', aside, 'HEAD');
    return parseOid(made.gitIn(aside, 'rev-parse', 'HEAD'));
  };
  const merging = createMerging(surroundings, repository);
  return { made, repository, merging, surroundings, tip, commitOn, picture: () => pictureOf(made.path) };
}

/** Everything below the checkout, its git directory included; objects and our own cache aside. */
export function pictureOf(root: string): ReadonlyMap<string, string> {
  const picture = new Map<string, string>();
  const visit = (path: string) => {
    if (path === '.git/objects' || path === '.git/coppice') return;
    const found = lstatSync(join(root, path));
    if (found.isDirectory()) {
      picture.set(path, 'directory');
      for (const name of readdirSync(join(root, path)).sort()) visit(path === '' ? name : `${path}/${name}`);
    } else if (found.isSymbolicLink()) picture.set(path, `link ${readlinkSync(join(root, path))}`);
    else picture.set(path, `${(found.mode & 0o777).toString(8)} ${readFileSync(join(root, path)).toString('latin1')}`);
  };
  visit('');
  return picture;
}
