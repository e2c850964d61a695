import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { writeFileAtomic } from '../../storage/atomic.js';
import { type Checkpoint, readCheckpoint } from '../../storage/checkpoint.js';
import { kindOf } from '../../storage/disk.js';
import type { StageContext } from '../../types.js';
import { frameRecords } from '../frame.js';
import { DISK } from '../journal/files.js';
import { examine, listSegments, readHeader } from '../journal/segments.js';
import { readOnlineState } from '../snapshot.js';
import { checkpointsPath, journalPath } from '../state-directory.js';
import { type Base, onlyBase } from './base.js';
import { Eras } from './eras.js';
import { CHECKPOINT, type Named, type NumberedRecord, numberedRecord } from './record.js';

/** What the journal has named up to record `through`: so that a start need not read all of it, and knows what was named in segments that are deleted. */
const rememberedSchema = z.object({
  journalId: z.string(),
  through: z.number().int(),
  /** The segment that it ends in, as long as it was then. */
  end: z.object({ file: z.string(), bytes: z.number().int() }).optional(),
  records: z.array(numberedRecord),
});
type Remembered = Omit<z.output<typeof rememberedSchema>, 'records'> & {
  readonly records: readonly NumberedRecord[];
};

/** Where the checkpoints of a journal are remembered. */
export async function remember(state: string, remembered: Remembered): Promise<void> {
  await writeFileAtomic(checkpointsPath(state), `${JSON.stringify(remembered, null, 2)}\n`);
}

/** Records of a state directory's journal that name checkpoints. What is damaged is for the start to find. */
async function namedIn(state: string): Promise<Remembered | undefined> {
  const directory = journalPath(state);
  if ((await kindOf(directory)) !== 'directory') return undefined;
  const journalId = await readHeader(DISK, directory);
  if (typeof journalId !== 'string') return undefined;
  const file = checkpointsPath(state);
  const text = (await kindOf(file)) === 'file' ? await readFile(file, 'utf8') : '';
  const known = rememberedSchema.safeParse(parsed(text));
  const own = known.success && known.data.journalId === journalId ? known.data : undefined;
  const records = [...(own?.records ?? [])];
  const through = own?.through ?? 0;
  const segments = await listSegments(DISK, directory);
  const last = segments.at(-1);
  const at = last && { file: basename(last.file), bytes: (await stat(last.file)).size };
  // As long as it was, it names none where it named none; what is known of it otherwise may have been lost from its end since.
  if (own?.records.length === 0 && at && own.end?.file === at.file && own.end.bytes === at.bytes) return own;
  const named = (end: number) => ({
    journalId,
    through: end,
    records: records.filter(({ seq }) => seq <= end),
  });
  let end = through;
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1];
    if (next && next.firstSeq <= through + 1) continue;
    const contents = examine(await DISK.read(segment.file), segment, segment.firstSeq, next === undefined);
    if ('what' in contents) return named(end);
    for (const frame of contents.frames) {
      if (!frame.payload.includes(CHECKPOINT)) continue;
      for (const [n, record] of frameRecords(frame).entries()) {
        const one = numberedRecord.safeParse({ ...(record as object), seq: frame.firstSeq + n });
        if (one.success && one.data.seq > through) records.push(one.data);
      }
    }
    end = contents.lastSeq;
  }
  // After a power cut it may end before what was known of it.
  return { ...named(end), end: at };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The newest record after number `since` that names a checkpoint. Of a journal that nobody writes to. */
export async function lastNamed(state: string, since: number): Promise<NumberedRecord | undefined> {
  const named = await namedIn(state);
  return named?.records.findLast(({ seq }) => seq > since);
}

/**
 * What a start serves: the checkpoint that the journal went on to, or the one given where it did not.
 * @param given the one that the settings name
 * @param rename gives its users the names they have inside
 * @throws RecsysError CHECKPOINT_INCOMPATIBLE where the journal is of another one, or is served with adapters of another · CHECKPOINT_MOVED where it is not
 *   where it was
 */
export async function resolveBase(
  {
    checkpoint: given,
    state,
    adapters,
  }: { checkpoint: Checkpoint; state: string; adapters: ReadonlyMap<string, unknown> },
  rename: (checkpoint: Checkpoint) => Checkpoint,
  log: StageContext['log'],
): Promise<Base> {
  const named = await namedIn(state);
  if (named) await remember(state, named);
  const records = named ? await later(given, named) : [];
  if (records.length === 0) return onlyBase(given);
  const eras = Eras.of(records[0]!.before, records);
  const { current } = eras;
  if (current.sha256 === given.manifestSha256) return { checkpoint: given, eras };
  if (!eras.knows(given.manifestSha256))
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `the journal of ${state} is one of the checkpoint ${current.path}, taken up at record ${eras.since}, and not of ${given.path}`,
      {
        remedy: `Serve --model ${current.path}, and have another one taken up while it is served (POST /v1/admin/checkpoint); or begin with a fresh --state.`,
      },
    );
  if (adapters.size > 0)
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `the journal of ${state} went on to the checkpoint ${current.path}, and the adapters are of ${given.path}`,
      { remedy: 'Serve without adapters, or with those of the checkpoint that the journal went on to.' },
    );
  log(
    'warn',
    `the journal went on to another checkpoint at record ${eras.since}: serving ${current.path}, not ${given.path}`,
  );
  return { checkpoint: rename(await readNamed(current)), eras };
}

/** Records that a checkpoint does not already stand for: one that was written by a service over this journal does for those before its end. */
async function later(
  given: Checkpoint,
  { journalId, records }: Remembered,
): Promise<readonly NumberedRecord[]> {
  if (records.length === 0) return records;
  const online = await readOnlineState(given);
  const position = online?.journalId === journalId ? online.state.position : 0;
  return records.filter(({ seq }) => seq > position);
}

/** Reads a checkpoint where it was when it was taken up. @throws RecsysError CHECKPOINT_MOVED · CHECKPOINT_DAMAGED */
export async function readNamed({ path, sha256 }: Named): Promise<Checkpoint> {
  const missing = (what: string, cause?: unknown) =>
    new RecsysError(
      'CHECKPOINT_MOVED',
      `${path} ${what}: the journal was begun or went on with the checkpoint ${sha256}`,
      { cause },
    );
  let checkpoint: Checkpoint;
  try {
    checkpoint = await readCheckpoint(path);
  } catch (error) {
    if (error instanceof RecsysError && error.code === 'FILE_MISSING') throw missing('is gone', error);
    throw error;
  }
  if (checkpoint.manifestSha256 !== sha256) throw missing('is another one now');
  return checkpoint;
}
