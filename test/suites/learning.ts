import { compileStep } from '../../src/compute/compile.js';
import { OPTIMIZERS } from '../../src/compute/optimizers/index.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { LOSSES, type LossName } from '../../src/model/losses/index.js';
import { createModel, type ModelConfig } from '../../src/model/registry.js';
import { paramsScorer } from '../../src/model/scorer.js';
import { Random } from '../../src/random.js';
import { labelObjective } from '../../src/training/objective.js';
import { taskBatches } from '../../src/training/stage.js';
import type { Query } from '../../src/types.js';
import { checkerboard, checkerboardOrder } from './fixtures.js';
import { taskOf } from './gradients.js';

const USERS = 48;
const BOARD = checkerboard(USERS, 12, 6);

/** Share of item pairs in the right order after a few dozen steps. */
export async function learnCheckerboard(config: ModelConfig, loss: LossName, steps = 40): Promise<number> {
  const board = createModel(config, BOARD.catalogue);
  const store = new ParameterStore(board.init(new Random(3)), board.constants(), {
    sparseTables: !LOSSES[loss].readsCatalogue && board.readsCatalogue !== true,
  });
  const positional = board.positional || board.masksItems;
  const objective = labelObjective(board, LOSSES[loss]);
  const step = compileStep({ store, optimizer: OPTIMIZERS.adam(), loss: objective, seed: 3 });
  const { batches } = taskBatches(
    board,
    BOARD,
    taskOf(loss, 'next-item', { batchSize: positional ? 16 : 96, negatives: 6 }),
  );
  try {
    for (let n = 0; n < steps; n++) {
      const index = n % batches.batchesPerEpoch;
      await step.run(
        [batches.batch(Math.floor(n / batches.batchesPerEpoch), index)],
        positional ? 0.02 : 0.05,
      );
    }
    const { interactions: rows } = BOARD;
    const queries = Array.from({ length: USERS }, (_, i): Query => {
      const from = rows.offsets[i + 1]!;
      const items = rows.item.slice(from, from + 6);
      const columns = { times: rows.time.slice(from, from + 6), values: rows.value.slice(from, from + 6) };
      return { user: i + 1, items, behaviours: new Uint8Array(6), ...columns };
    });
    const scores = await paramsScorer(board, store.reader(), 12, 'board').score(queries);
    return checkerboardOrder(
      scores,
      queries.map((q) => q.user),
      12,
    );
  } finally {
    step.dispose();
    store.dispose();
  }
}
