import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { RecsysClient } from '../../../src/client/index.js';
import { checkpointsSchema } from '../../../src/online/checkpoints/schema.js';
import { learningSchema } from '../../../src/online/schema.js';
import type { ServeOptions } from '../../../src/online/serve-options.js';
import { readOnlineState } from '../../../src/online/snapshot.js';
import { readCheckpoint } from '../../../src/storage/checkpoint.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { temporary } from '../fixtures.js';
import { type Running, start } from '../serve-fixture.js';

export const learning = learningSchema.parse({ learningRate: 0.1, batch: 3, user: { rate: 0.05 } });

/** A folder with a checkpoint `model`, others `a` and `b` in `checkpoints/`, and what starts services over `state`. */
export async function shop(t: TestContext) {
  const dir = await temporary(t);
  const [model, state, directory] = ['model', 'state', 'checkpoints'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await mkdir(directory);
  await writeTinyCheckpoint(model);
  await writeTinyCheckpoint(join(directory, 'a'), 2);
  await writeTinyCheckpoint(join(directory, 'b'), 3);
  const settings = { learning, checkpoints: checkpointsSchema.parse({ directory }) };
  return {
    ...{ dir, model, state, directory },
    async serve(
      over: Partial<ServeOptions> = {},
      named = model,
    ): Promise<{ running: Running; client: RecsysClient }> {
      const running = await start(named, state, { ...settings, ...over });
      const client = new RecsysClient({ url: running.url, patience: 0 });
      t.after(() => client.close());
      return { running, client };
    },
    /** What the journal alone makes of what was served first, or of `named`. */
    async replayed(twin: string, named = model): Promise<Record<string, unknown>> {
      const to = join(dir, twin);
      await cp(join(state, 'journal'), join(to, 'journal'), { recursive: true });
      await (await start(named, to, settings)).stop();
      return stateOf(join(to, 'snapshot'));
    },
  };
}

/** All that a snapshot holds and that is a function of the journal. */
export async function stateOf(path: string): Promise<Record<string, unknown>> {
  const checkpoint = await readCheckpoint(path);
  const { optimizerState, introduced, state, base, baseVersion } = (await readOnlineState(checkpoint))!;
  return {
    ...{ parameters: checkpoint.tensors, optimizerState, introduced, state, base, baseVersion },
    ...{ items: checkpoint.catalogue.items, trained: checkpoint.trainedEvents },
  };
}
