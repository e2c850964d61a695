import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { recoverOutput, withOutputDirectory, writeFileAtomic } from '../../storage/atomic.js';
import { kindOf } from '../../storage/disk.js';
import { sha256File } from '../../storage/hash.js';
import type { StageContext } from '../../types.js';
import type { MakeIndex, VectorIndex } from './usearch.js';

const factsSchema = z.strictObject({
  version: z.literal(1),
  /** What is served, as snapshots name it. */
  checkpoint: z.string(),
  /** Rows of the catalogue that had items, padding included. */
  rows: z.number().int().min(1),
  /** Numbers of a vector. */
  width: z.number().int().min(1),
  connectivity: z.number().int(),
  expansion: z.number().int(),
  /** Journal record that it was made at. */
  position: z.number().int(),
  /** When, in milliseconds since the epoch. */
  made: z.number(),
  sha256: z.string(),
});
const freshSchema = z.strictObject({ sha256: z.string(), items: z.array(z.number().int().min(1)) });

/** What an index was made of. */
export type IndexFacts = z.output<typeof factsSchema>;

/** An index ready for use. */
export interface StoredIndex {
  readonly index: VectorIndex;
  readonly facts: IndexFacts;
  /** Rows that events had named since, when the service stopped; the last named last. */
  readonly fresh: readonly number[];
}

const FILES = { index: 'index.usearch', facts: 'index.json', fresh: 'fresh.json' };

/** An index of a directory, where it was made of what is served; undefined where there is none that can be used. */
export async function readIndex(
  directory: string,
  fits: (facts: IndexFacts) => boolean,
  make: MakeIndex,
  log: StageContext['log'],
): Promise<StoredIndex | undefined> {
  await recoverOutput(directory);
  if ((await kindOf(directory)) !== 'directory') return undefined;
  try {
    const facts = factsSchema.parse(JSON.parse(await readFile(join(directory, FILES.facts), 'utf8')));
    if (!fits(facts)) {
      log('info', 'the index in the state directory was made of something else: not used');
      return undefined;
    }
    // The package reads a damaged file as it is.
    if ((await sha256File(join(directory, FILES.index))) !== facts.sha256) throw new Error('it is damaged');
    const index = make(facts);
    index.load(join(directory, FILES.index));
    return { index, facts, fresh: await readFresh(directory, facts) };
  } catch (error) {
    const reason = error instanceof z.ZodError ? 'its facts are not as expected' : String(error);
    log('warn', `the index in the state directory cannot be used (${reason}): a new one is made`);
    return undefined;
  }
}

async function readFresh(directory: string, { sha256 }: IndexFacts): Promise<number[]> {
  const path = join(directory, FILES.fresh);
  if ((await kindOf(path)) === 'none') return [];
  const fresh = freshSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  return fresh.sha256 === sha256 ? fresh.items : [];
}

/** Writes an index all or nothing. @param build writes the file that it is given, and may be interrupted */
export async function writeIndex(
  directory: string,
  facts: Omit<IndexFacts, 'version' | 'sha256'>,
  build: (file: string) => Promise<void>,
  make: MakeIndex,
): Promise<StoredIndex> {
  const whole = await withOutputDirectory(directory, { force: true, resume: false }, async (partial) => {
    const file = join(partial, FILES.index);
    await build(file);
    const written: IndexFacts = { version: 1, ...facts, sha256: await sha256File(file) };
    await writeFile(join(partial, FILES.facts), `${JSON.stringify(written)}\n`);
    return written;
  });
  const index = make(whole);
  index.load(join(directory, FILES.index));
  return { index, facts: whole, fresh: [] };
}

/** Keeps which items events have named since the index was made. */
export async function writeFresh(
  directory: string,
  { sha256 }: IndexFacts,
  items: readonly number[],
): Promise<void> {
  await writeFileAtomic(join(directory, FILES.fresh), `${JSON.stringify({ sha256, items })}\n`);
}

export const removeIndex = (directory: string): Promise<void> =>
  rm(directory, { recursive: true, force: true });
