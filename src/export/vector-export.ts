import { RecsysError } from '../errors.js';
import { type TwoHalves, twoHalves } from '../model/vectors.js';
import type { StageContext } from '../types.js';
import type { Artefact, ItemVectors } from './artefact.js';
import { exampleOf } from './example.js';
import { compare, type Described, type Job, shownRequest } from './job.js';
import { dotScores, type Parity } from './parity.js';
import { vectorSignature } from './signature.js';

/** Files of item vectors, and the vectors as they were read back from them. */
export interface VectorFiles {
  readonly files: readonly string[];
  readonly read: ItemVectors;
}

/**
 * Writes a model's item vectors by `write` and compares what was written with the checkpoint.
 * @throws EXPORT_IMPOSSIBLE where the model has none, EXPORT_DIFFERS, INTERRUPTED
 */
export async function exportVectors(
  dir: string,
  job: Job,
  context: StageContext,
  write: (vectors: ItemVectors) => Promise<readonly VectorFiles[]>,
): Promise<Described> {
  const { checkpoint, restored } = job;
  const halves = twoHalves(restored);
  if (!halves)
    throw new RecsysError(
      'EXPORT_IMPOSSIBLE',
      `${checkpoint.path}: model ${restored.model.name} has no item vectors, since its score is no dot product`,
      { remedy: 'Export it with --format savedmodel or onnx.' },
    );
  try {
    const written = (await write(halves)).map((one) => vectorArtefact(one, halves));
    let worst: Parity | undefined;
    for (const artefact of written) {
      const parity = await compare(dir, job, artefact, context);
      if (!worst || parity.differences.scores! > worst.differences.scores!) worst = parity;
    }
    const files = written.flatMap((artefact) => artefact.files);
    const query = shownRequest(job);
    return {
      parity: worst!,
      signature: vectorSignature(files, halves.width, restored.model.length, checkpoint.catalogue),
      example: exampleOf(query, {}, await written[0]!.answer([query]), checkpoint.catalogue),
    };
  } finally {
    halves.dispose();
  }
}

/** Item vectors as they were written, with the states of the checkpoint itself. */
function vectorArtefact(
  { files, read }: VectorFiles,
  { states }: TwoHalves,
): Artefact & { readonly files: readonly string[] } {
  return {
    files,
    runtime: files.join(', '),
    async answer(queries) {
      const state = states(queries);
      const width = read.offsets.length;
      const scores = new Float32Array(queries.length * width);
      for (let row = 0; row < queries.length; row++) scores.set(dotScores(state, row, read), row * width);
      return { scores, state };
    },
    dispose: () => undefined,
  };
}
