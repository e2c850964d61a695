import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { selectBackend } from '../../../src/compute/select.js';
import { restoreModel } from '../../../src/model/restore.js';
import { modelScorer } from '../../../src/model/scorer.js';
import { distillSchema } from '../../../src/training/distill/schema.js';
import { distill } from '../../../src/training/distill.js';
import { finetune, finetuneSchema } from '../../../src/training/finetune.js';
import { pretrain, pretrainSchema } from '../../../src/training/pretrain.js';
import type { Row } from '../../../src/training/progress.js';
import type { StageHooks, TrainedModel } from '../../../src/training/stage.js';
import { assertNoLeak, assertSameTensors } from '../../suites/assertions.js';
import {
  catalogueOf,
  checkerboard,
  checkerboardOrder,
  datasetOf,
  recordingContext,
} from '../../suites/fixtures.js';

const USERS = 48;
const BOARD = checkerboard(USERS, 12, 6);
const MODEL = { name: 'sparse-linear', neighbours: 12, length: 5 };

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recsys-ridge-'));
  await selectBackend('cpu');
});
after(() => rm(folder, { recursive: true, force: true }));

const hooks = (rows: Row[] = []): StageHooks & { folder: string } => ({
  saveSnapshot: async () => undefined,
  onEpoch: (row) => void rows.push(row),
  folder,
});
const fitted = (config: object, rows: Row[] = [], context = recordingContext()): Promise<TrainedModel> =>
  pretrain(
    pretrainSchema.parse({ data: 'x', model: MODEL, ...config }),
    BOARD,
    undefined,
    hooks(rows),
    context,
  );
const restored = ({ config, catalogue, tensors }: TrainedModel) =>
  restoreModel({ path: 'fitted', manifest: { model: { config } }, tensors, catalogue });

async function order(model: TrainedModel): Promise<number> {
  const scorer = modelScorer(restored(model));
  const { interactions: rows } = BOARD;
  const users = Array.from({ length: USERS }, (_, i) => i + 1);
  const scores = await scorer.score(
    users.map((user) => ({
      user,
      items: rows.item.slice(rows.offsets[user]!, rows.offsets[user]! + 6),
      behaviours: new Uint8Array(6),
    })),
  );
  scorer.dispose();
  return checkerboardOrder(scores, users, 12);
}

test('labels: the checkerboard is learned in one go, the same bits each time', () =>
  assertNoLeak('a fit', async () => {
    const rows: Row[] = [];
    const model = await fitted({ ridge: { lambda: 10 } }, rows);
    assert.ok((await order(model)) > 0.98, 'in order');
    assert.equal(rows.length, 1);
    assert.equal(rows[0]!.epoch, 1);
    assert.ok(rows[0]!.loss > 0 && rows[0]!.loss < 1, `${rows[0]!.loss}`);
    assert.equal(model.config.name === 'sparse-linear' && model.config.decay, 0.8);
    assert.deepEqual(model.fit.bestRow, rows[0]);
    assertSameTensors((await fitted({ ridge: { lambda: 10 } })).tensors, model.tensors, 'again');
  }));

test('of several λ and decays those are kept that rank the validation part best', async () => {
  const context = recordingContext();
  const tried: Record<string, unknown>[] = [];
  const log: typeof context.log = (_level, message, fields) => {
    if (message === 'fitted') tried.push({ ...fields });
  };
  const rows: Row[] = [];
  const ridge = { lambda: [0.1, 10, 1e6], decay: [0.2, 0.9] };
  const { config } = await fitted({ ridge }, rows, { ...context, log });
  assert.deepEqual(tried.map(({ decay, lambda }) => [decay, lambda]).slice(0, 2), [
    [0.2, 10],
    [0.9, 10],
  ]);
  assert.equal(tried.length, 4);
  const best = Math.max(...tried.map((one) => one['ndcg@10'] as number));
  const chosen = tried.find((one) => one['ndcg@10'] === best)!;
  assert.equal(rows[0]!['ndcg@10'], best);
  assert.equal(rows[0]!.lambda, chosen.lambda);
  assert.equal(config.name === 'sparse-linear' && config.decay, chosen.decay);
});

test('without validation rows the middle λ and the first decay are taken, with a warning', async () => {
  const catalogue = catalogueOf(2, 3);
  const events = [1, 2, 3].map((item) => ({ user: 1, item }));
  const context = recordingContext();
  const config = pretrainSchema.parse({
    data: 'x',
    model: MODEL,
    ridge: { lambda: [1, 2, 3], decay: [0.5, 0.6] },
  });
  const rows: Row[] = [];
  const { config: model } = await pretrain(
    config,
    datasetOf(catalogue, events),
    undefined,
    hooks(rows),
    context,
  );
  assert.equal(rows[0]!.lambda, 2);
  assert.equal(model.name === 'sparse-linear' && model.decay, 0.5);
  assert.match(context.lines.join('\n'), /warn: no validation row is a target/);
});

const ASK = { data: 'x', teacher: 'x', student: MODEL, ridge: { lambda: 10 } };
const taught = (config: object, teacher: TrainedModel, context = recordingContext()) =>
  distill(
    distillSchema.parse({ ...ASK, ...config }),
    BOARD,
    { teacher: restored(teacher) },
    hooks(),
    context,
  );

test('a teacher: its answers are learned where the labels say nothing of them; unasked, the fit is that to labels', async () => {
  const teacher = await fitted({ ridge: { lambda: 10 } });
  const student = await taught({ hard: { weight: 0 }, soft: { temperature: 0.5 } }, teacher);
  assert.ok((await order(student)) > 0.98, 'in order');
  await rm(folder, { recursive: true });
  const alone = await taught({ soft: { weight: 0 } }, teacher);
  assert.equal(existsSync(folder), false, 'nothing was asked');
  assertSameTensors(alone.tensors, teacher.tensors, 'the control');
});

test('what a fit cannot do is refused, with what to do', async () => {
  const teacher = await fitted({ ridge: { lambda: 10 } });
  const refused = (code: string, message: RegExp) => ({ code, message });
  await assert.rejects(
    taught({ ranking: { weight: 1 } }, teacher),
    refused('CONFIG_INVALID', /^ranking.weight/),
  );
  await assert.rejects(
    taught({ alignment: { weight: 1 } }, teacher),
    refused('CONFIG_INVALID', /^alignment.weight/),
  );
  await assert.rejects(taught({ start: 'teacher' }, teacher), refused('CONFIG_INVALID', /^start/));
  await assert.rejects(
    fitted({ ridge: { inputs: 12 } }),
    refused('CONFIG_INVALID', /13 inputs .* at most 12/),
  );
  await assert.rejects(fitted({ targets: { baskets: true } }), refused('CONFIG_INVALID', /^targets.baskets/));
  await assert.rejects(fitted({ task: 'label', loss: 'bce' }), refused('CONFIG_INVALID', /^task/));
  await assert.rejects(
    fitted({ validation: { metric: 'loss' } }),
    refused('CONFIG_INVALID', /validation.metric: "loss"/),
  );
  const stopped = recordingContext();
  stopped.stop();
  await assert.rejects(fitted({}, [], stopped), refused('INTERRUPTED', /pretrain was interrupted/));
});

test('numbers of items that are not the catalogue’s are refused', async () => {
  const model = await fitted({ ridge: { lambda: 10 } });
  const numbers = model.tensors.get('item.neighbours')!;
  const data = Int32Array.from(numbers.data);
  data[20] = 13;
  const tensors = new Map([...model.tensors, ['item.neighbours', { ...numbers, data }] as const]);
  assert.throws(() => restored({ ...model, tensors }), {
    code: 'CHECKPOINT_INCOMPATIBLE',
    message: /"item.neighbours": a value is not one of 0 … 12/,
  });
});

test('fine-tuning moves the values, not the items they go to; new items have rows that say nothing yet', async () => {
  const model = await fitted({ ridge: { lambda: 10 } });
  const more = checkerboard(6, 14, 6);
  const config = finetuneSchema.parse({ data: 'x', from: 'x', epochs: 1 });
  const tuned = await finetune(config, more, restored(model), hooks(), recordingContext());
  const [before_, after_] = [model, tuned].map(({ tensors }) => tensors.get('item.neighbours')!);
  assert.deepEqual(after_!.shape, [15, 12]);
  assert.deepEqual(after_!.data.subarray(0, 13 * 12), before_!.data);
  assert.notDeepEqual(
    tuned.tensors.get('item.weights')!.data.subarray(0, 13 * 12),
    model.tensors.get('item.weights')!.data,
  );
});
