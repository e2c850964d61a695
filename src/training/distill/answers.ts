import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dataset } from '../../data/dataset.js';
import { RecsysError } from '../../errors.js';
import type { RestoredModel } from '../../model/restore.js';
import { sha256 } from '../../storage/hash.js';
import { acquireLock, type Lock } from '../../storage/lock.js';
import { inspectRecords, writeRecords } from '../../storage/record-file.js';
import type { StageContext } from '../../types.js';
import { rowsFor, type TrainRows } from '../train-rows.js';
import type { AnswerPlan } from './beside.js';
import { layoutOf } from './record.js';
import type { DistillConfig } from './schema.js';
import { askTeacher } from './teacher.js';

/**
 * The teacher's answers at every target of `rows`: those kept in `dir`, where they are of this teacher, dataset and settings and
 * whole, else asked for now and kept there. Damaged ones are made anew, with a warning; a run that is asking the same is waited for.
 */
export async function teacherAnswers(
  config: DistillConfig,
  teacher: RestoredModel,
  parts: {
    readonly dataset: Dataset;
    readonly rows: TrainRows;
    readonly layer: number;
    readonly dir: string;
  },
  context: StageContext,
): Promise<AnswerPlan> {
  const { dataset, rows, layer, dir } = parts;
  const { top, tail } = config.answers;
  const layout = layoutOf(teacher.catalogue.items.length - 1, top, tail, layer < 0 ? 0 : teacher.model.width);
  const { temperature } = config.soft;
  const key = JSON.stringify({
    teacher: fingerprintOf(teacher),
    dataset: dataset.manifest.fingerprint,
    targets: config.targets,
    userShare: config.userShare,
    seed: config.seed,
    ...{ temperature, layer, layout },
  });
  // In a folder of their own: runs of other settings, and whatever else lies there, keep theirs.
  const own = join(dir, sha256(key).slice(0, 16));
  const lock = await lockOf(own, context);
  try {
    const found = await inspectRecords(own, key);
    if (found === 'ready') {
      context.log('info', 'the teacher’s answers are read from the cache', { dir: own });
      return { dir: own, layout };
    }
    if (found !== 'missing') context.log('warn', `the teacher is asked anew: ${found.damaged}`);
    const asked = rowsFor(rows, teacher.model);
    const question = { rows: asked, layout, temperature, layer, seed: config.seed };
    const started = performance.now();
    await writeRecords(own, key, layout.bytes, (put) => askTeacher(teacher, question, put, context));
    context.log('info', 'asked the teacher', {
      seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
      bytes: layout.bytes * rows.item.length,
    });
    return { dir: own, layout };
  } finally {
    await lock.release();
  }
}

/** Milliseconds between looks at a lock. */
const LOOK = 1000;

/** Waits until no other process asks the same. */
async function lockOf(dir: string, context: StageContext): Promise<Lock> {
  await mkdir(dirname(dir), { recursive: true });
  for (let tries = 0; ; tries++) {
    try {
      return await acquireLock(`${dir}.lock`, dir);
    } catch (error) {
      if (!(error instanceof RecsysError) || error.code !== 'OUTPUT_BUSY') throw error;
      if (context.signal.aborted)
        throw new RecsysError('INTERRUPTED', 'distill was interrupted while it waited');
      if (tries === 0) context.log('info', 'another run asks the teacher the same: waiting for its answers');
      await sleep(LOOK);
    }
  }
}

/** SHA-256 of a model's configuration and weights. */
function fingerprintOf({ config, inits }: RestoredModel): string {
  const hash = createHash('sha256').update(JSON.stringify(config));
  for (const [name, { data }] of inits)
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
}
