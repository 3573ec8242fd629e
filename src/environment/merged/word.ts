/** What a forge once said of an environment's work, kept in its record: a merge stays one, so that nobody has to be asked again. */
import * as z from 'zod/mini';
import { isOid, type Oid } from '../../domain/oid.ts';

/** In the record's tree. */
export const wordFile = 'pull-request.json';

const oid = z.pipe(
  z.string().check(z.refine(isOid)),
  z.transform((text) => text as Oid),
);

const wordSchema = z.object({
  version: z.literal(1),
  /** `github.com/team/project`. */
  forge: z.string(),
  number: z.number(),
  /** `#12`. */
  reference: z.string(),
  url: z.string(),
  title: z.string(),
  /** The branch it was merged into, by its name there. */
  base: z.string(),
  /** What was merged. Null where the forge only lists its commits. */
  head: z.nullable(oid),
  /** What the base branch got, where that is a commit of its own. */
  mergeCommit: z.nullable(oid),
  /** The tip of the environment: it, and with it all it stands on, is in what was merged. */
  tip: oid,
  /** ISO 8601. */
  learntAt: z.string(),
});

/** A pull request that was merged with all of an environment's work in it. */
export type MergedWord = z.infer<typeof wordSchema>;

export function serializeWord(word: MergedWord): Buffer {
  return Buffer.from(`${JSON.stringify(word, null, 2)}\n`);
}

/** What cannot be read counts as not known: the forge can be asked again. */
export function parseWord(bytes: Buffer | undefined): MergedWord | undefined {
  if (bytes === undefined) return undefined;
  try {
    const parsed = wordSchema.safeParse(JSON.parse(bytes.toString('utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
