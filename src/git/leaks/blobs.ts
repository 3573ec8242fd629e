/** Contents of blobs for the search: sizes first, so that nothing large is ever read. */
import type { Oid } from '../../domain/oid.ts';
import type { ObjectReader } from '../checkpoint/object-reader.ts';
import type { HostGit } from '../host-git.ts';
import { splitNul } from '../native/split-nul.ts';
import type { Blobs } from './examine.ts';

/** `against`: the commit or tree that the changes are against; undefined for a root commit. */
export function blobsIn(
  git: HostGit,
  reader: ObjectReader,
  sizes: ReadonlyMap<Oid, number>,
  against: Oid | undefined,
): Blobs {
  let listed: Promise<ReadonlySet<string>> | undefined;
  return {
    sizeOf: (oid) => sizes.get(oid),
    read: async (oid) => (await reader.read(oid))?.content,
    async recordedBefore(oid) {
      if (against === undefined) return false;
      listed ??= namesIn(git, against);
      return (await listed).has(oid);
    },
  };
}

/** Of those that are blobs here. */
export async function sizesOf(
  git: HostGit,
  oids: readonly Oid[],
  env: Readonly<Record<string, string>> = {},
): Promise<ReadonlyMap<Oid, number>> {
  if (oids.length === 0) return new Map();
  const input = oids.map((oid) => `${oid}\n`).join('');
  const { stdout } = await git.run(['cat-file', '--batch-check=%(objecttype) %(objectsize)'], { input, env });
  const lines = stdout.toString('latin1').split('\n');
  return new Map(
    oids.flatMap((oid, index) => {
      const [kind, size] = (lines[index] ?? '').split(' ');
      return kind === 'blob' ? [[oid, Number(size)] as const] : [];
    }),
  );
}

async function namesIn(git: HostGit, treeish: Oid): Promise<ReadonlySet<string>> {
  const { stdout } = await git.run(['ls-tree', '-r', '-z', '--full-tree', '--format=%(objectname)', treeish]);
  return new Set(splitNul(stdout).map((name) => name.toString('latin1')));
}
