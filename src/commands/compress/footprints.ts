import type { Dataset } from '../../data/dataset.js';
import { RecsysError } from '../../errors.js';
import { candidateMask } from '../../evaluation/candidates.js';
import { type Footprint, type FootprintOptions, measureScorer } from '../../evaluation/footprint.js';
import { refuseTrainedOnTest } from '../../evaluation/guard.js';
import { scorerFor } from '../../evaluation/mapped.js';
import { evaluationQueries } from '../../evaluation/queries.js';
import { countNonZero } from '../../model/pruning/magnitude.js';
import { restoreModel, type StoredModel } from '../../model/restore.js';
import { modelScorer } from '../../model/scorer.js';
import type { Table } from '../../report/table.js';
import type { Checkpoint } from '../../storage/checkpoint.js';
import { countParameters } from '../../storage/quantization.js';
import { encodedBytes } from '../../storage/safetensors.js';
import type { CompressConfig } from '../../training/compress.js';
import type { StageContext } from '../../types.js';

/** Measures models on one dataset's validation rows, before and after, with the same queries. */
export function footprints(
  config: CompressConfig,
  from: Checkpoint,
  dataset: Dataset,
  context: StageContext,
): (name: string, stored: StoredModel) => Promise<Footprint> {
  const options = optionsOf(config, from, dataset, context);
  return async (name, stored) => {
    const restored = restoreModel(stored);
    const scorer = modelScorer(restored, name);
    try {
      const fitting = scorerFor(scorer, stored.catalogue, dataset.catalogue);
      return {
        bytes: encodedBytes(stored.tensors, { format: 'recsys', model: restored.config.name }),
        parameters: countParameters(stored.tensors),
        nonZero: countNonZero(restored.inits.values()),
        ...(await measureScorer(fitting, options)),
      };
    } finally {
      scorer.dispose();
    }
  };
}

function optionsOf(
  { validation, finetune, latencyQueries, seed }: CompressConfig,
  from: Checkpoint,
  dataset: Dataset,
  context: StageContext,
): FootprintOptions {
  const rest = { candidates: candidateMask(dataset), latencyQueries, context };
  if (dataset.manifest.counts.validation === 0) {
    context.log('warn', 'the dataset has no validation rows: what compressing costs is not measured');
    return { ...rest, evaluation: undefined };
  }
  warnOfLeak(from, dataset, context);
  const { behaviours } = finetune.targets;
  const evaluation = evaluationQueries(dataset, 'validation', {
    ...(behaviours ? { targetBehaviours: behaviours } : {}),
    maxUsers: validation.users,
    seed,
  });
  return { ...rest, evaluation };
}

/** A model that has seen the validation rows can be compressed all the same; its figures say less. */
function warnOfLeak(from: Checkpoint, dataset: Dataset, context: StageContext): void {
  try {
    refuseTrainedOnTest(from, dataset, 'validation');
  } catch (error) {
    if (!(error instanceof RecsysError) || error.code !== 'LEAK') throw error;
    context.log('warn', `${error.message}: the figures before and after are too good`);
  }
}

/** The figures as `--json` gives them. */
export function figuresOf({ metrics, ...rest }: Footprint): Record<string, number> {
  return { ...rest, ...metrics };
}

/** Before and after, with what is left of each figure. */
export function footprintTable(before: Footprint, after: Footprint): Table {
  const row = (name: string, { bytes, parameters, nonZero, metrics, milliseconds }: Footprint) => [
    name,
    bytes,
    parameters,
    nonZero,
    metrics['ndcg@10'] ?? null,
    milliseconds ?? null,
  ];
  return {
    columns: [
      'model',
      { name: 'bytes', format: 'bytes', better: 'lower' },
      { name: 'parameters', format: 'count', better: 'lower' },
      { name: 'not 0', format: 'count' },
      { name: 'ndcg@10', better: 'higher' },
      { name: 'a request', format: 'milliseconds' },
    ],
    rows: [row('before', before), row('after', after)],
  };
}
