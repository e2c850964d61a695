import { createHash } from 'node:crypto';
import type { Dataset } from '../../data/dataset.js';
import type { RestoredModel } from '../../model/restore.js';
import { inspectRecords, writeRecords } from '../../storage/record-file.js';
import type { StageContext } from '../../types.js';
import type { TrainRows } from '../train-rows.js';
import type { AnswerPlan } from './beside.js';
import { layoutOf } from './record.js';
import type { DistillConfig } from './schema.js';
import { askTeacher } from './teacher.js';

/**
 * The teacher's answers at every target of `rows`: those kept in `dir`, where they are of this teacher, dataset and settings and
 * whole, else asked for now and kept there. Damaged ones are made anew, with a warning.
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
  const found = await inspectRecords(dir, key);
  if (found === 'ready') {
    context.log('info', 'the teacher’s answers are read from the cache', { dir });
    return { dir, layout };
  }
  if (found !== 'missing') context.log('warn', `the teacher is asked anew: ${found.damaged}`);
  const question = { rows, layout, temperature, layer, seed: config.seed };
  const started = performance.now();
  await writeRecords(dir, key, layout.bytes, (put) => askTeacher(teacher, question, put, context));
  context.log('info', 'asked the teacher', {
    seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
    bytes: layout.bytes * rows.item.length,
  });
  return { dir, layout };
}

/** SHA-256 of a model's configuration and weights. */
function fingerprintOf({ config, inits }: RestoredModel): string {
  const hash = createHash('sha256').update(JSON.stringify(config));
  for (const [name, { data }] of inits)
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
}
