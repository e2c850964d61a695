import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pruneMagnitude } from '../../src/model/pruning/magnitude.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { type RestoredModel, restoreModel } from '../../src/model/restore.js';
import { modelScorer } from '../../src/model/scorer.js';
import { Random } from '../../src/random.js';
import { distillSchema } from '../../src/training/distill/schema.js';
import { startAtTeacher } from '../../src/training/distill/start.js';
import { distill, layerIndex } from '../../src/training/distill.js';
import { trainRows } from '../../src/training/train-rows.js';
import type { Query } from '../../src/types.js';
import { assertNoLeak } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import {
  catalogueOf,
  datasetOf,
  type Event,
  randomEvents,
  recordingContext,
  richCatalogue,
  withNoise,
} from '../suites/fixtures.js';

const CATALOGUE = richCatalogue(6, 10);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 12));
const FOLDER = mkdtempSync(join(tmpdir(), 'recsys-distill-'));
/** Every run has a folder of its own, as it has in `<out>.partial`. */
const hooks = () => ({
  saveSnapshot: async () => {},
  onEpoch() {},
  folder: mkdtempSync(join(FOLDER, 'work-')),
});

const MODELS = {
  transformer: {
    name: 'transformer',
    width: 4,
    depth: 2,
    heads: 1,
    length: 4,
    dropout: 0,
    userAttributes: true,
  },
  gru: { name: 'gru', width: 4, hidden: 6, length: 4, dropout: 0, userAttributes: true, behaviours: false },
  'two-tower': { name: 'two-tower', width: 4, hidden: [6], length: 4, dropout: 0 },
  mlp: { name: 'mlp', width: 4, hidden: [6], length: 4 },
  linear: { name: 'linear', width: 4, length: 4 },
} as const;

/** An untrained teacher with strong opinions. */
function teacherOf(config: object, catalogue = CATALOGUE): RestoredModel {
  const parsed = modelSchema.parse(config);
  const model = createModel(parsed, catalogue);
  const inits = withNoise(model.init(new Random(5)), 9, 0.5);
  return { model, config: parsed, catalogue, inits };
}

const configOf = (more: object) =>
  distillSchema.parse({
    data: 'x',
    teacher: 'y',
    epochs: 10,
    batchSize: 4,
    optimizer: { learningRate: 0.03 },
    validation: { metric: 'loss', patience: 0 },
    ...more,
  });

const QUERIES: Query[] = [1, 2, 3, 4, 5, 6].map((user) => ({
  user,
  items: Int32Array.of(user, 1 + ((user * 3) % 10), 2),
  behaviours: Uint8Array.of(0, 1, 0),
}));

/** Mean KL of the teacher's distribution over items to the student's, over the queries. */
async function divergence(teacher: RestoredModel, student: RestoredModel): Promise<number> {
  const [a, b] = [modelScorer(teacher), modelScorer(student)];
  const [p, q] = [await a.score(QUERIES), await b.score(QUERIES)];
  a.dispose();
  b.dispose();
  const logs = (scores: Float32Array, row: number): number[] => {
    const z = [...scores.subarray(row * 11 + 1, (row + 1) * 11)];
    const total = Math.log(z.reduce((sum, x) => sum + Math.exp(x), 0));
    return z.map((x) => x - total);
  };
  let sum = 0;
  QUERIES.forEach((_, row) => {
    const [log, other] = [logs(p, row), logs(q, row)];
    log.forEach((x, i) => {
      sum += Math.exp(x) * (x - other[i]!);
    });
  });
  return sum / QUERIES.length;
}

async function distilled(teacher: RestoredModel, more: object, dataset = DATASET, from?: RestoredModel) {
  const trained = await distill(configOf(more), dataset, { teacher, from }, hooks(), recordingContext());
  const { config, catalogue, tensors } = trained;
  const student = restoreModel({ path: 'student', manifest: { model: { config } }, tensors, catalogue });
  return { student, fit: trained.fit };
}

onBackend('wasm', 'distillation', () => {
  let untrained: Map<string, RestoredModel>;
  after(() => rmSync(FOLDER, { recursive: true, force: true }));
  before(() => {
    untrained = new Map(
      Object.entries(MODELS).map(([name, config]) => {
        const parsed = modelSchema.parse(config);
        const model = createModel(parsed, CATALOGUE);
        return [name, { model, config: parsed, catalogue: CATALOGUE, inits: model.init(new Random(1)) }];
      }),
    );
  });

  for (const [teacherName, teacherConfig] of Object.entries(MODELS)) {
    for (const [studentName, studentConfig] of Object.entries(MODELS)) {
      test(`${teacherName} → ${studentName}: soft labels bring the student nearer, and nothing leaks`, () =>
        assertNoLeak('distillation', async () => {
          const teacher = teacherOf(teacherConfig);
          const { student } = await distilled(teacher, { student: studentConfig, hard: { weight: 0 } });
          const start = await divergence(teacher, untrained.get(studentName)!);
          const end = await divergence(teacher, student);
          assert.ok(end < 0.75 * start, `KL ${start} → ${end}`);
        }));
    }
  }

  test('a pruned student goes on from its checkpoint: its zeros stay, the rest comes nearer to the teacher', async () => {
    const teacher = teacherOf(MODELS.transformer);
    const { student } = await distilled(teacher, { student: MODELS.transformer, hard: { weight: 0 } });
    const pruned = pruneMagnitude(student.inits, 0.5);
    const sparse = { ...student, inits: pruned.inits };
    const goingOn = { hard: { weight: 0 }, from: 'pruned', keepZeros: true };
    const { student: tuned } = await distilled(teacher, goingOn, DATASET, sparse);
    assert.deepEqual(tuned.config, student.config);
    let zeros = 0;
    for (const name of pruned.pruned) {
      const [was, is] = [pruned.inits.get(name)!.data, tuned.inits.get(name)!.data];
      was.forEach((weight, i) => {
        if (weight !== 0) return;
        zeros++;
        assert.equal(is[i], 0, `${name}[${i}]`);
      });
    }
    assert.ok(zeros > 50, `${zeros} zeros`);
    const [before, after] = [await divergence(teacher, sparse), await divergence(teacher, tuned)];
    assert.ok(after < 0.9 * before, `KL ${before} → ${after}`);
    const { student: dense } = await distilled(teacher, { ...goingOn, keepZeros: false }, DATASET, sparse);
    const name = 'blocks.0.attention.query';
    assert.ok(!dense.inits.get(name)!.data.includes(0), 'without keepZeros they are learned again');
  });

  test('a student of other numbering than its teacher is refused, with what differs first', async () => {
    const from = teacherOf(MODELS.transformer, { ...CATALOGUE, items: [...CATALOGUE.items].reverse() });
    await assert.rejects(
      distilled(teacherOf(MODELS.transformer), { from: 'other' }, DATASET, from),
      (error: Error) =>
        error.message.includes(`the items of this student`) && error.message.includes('"i10"'),
    );
  });

  test('keepZeros without from, and two beginnings at once, are refused', () => {
    assert.throws(() => configOf({ keepZeros: true }), /needs `from`/);
    assert.throws(() => configOf({ from: 'x', start: 'teacher' }), /not both/);
  });

  test('hard, soft and alignment together lower the loss, and the projection stays out of the student', async () => {
    const teacher = teacherOf(MODELS.transformer);
    for (const student of Object.values(MODELS)) {
      for (const layer of ['middle', 'top', 'blocks.1']) {
        const alignment = { weight: 0.5, layer };
        const { student: found, fit } = await distilled(teacher, { student, alignment, epochs: 4 });
        assert.ok(fit.history.at(-1)!.loss < fit.history[0]!.loss);
        assert.ok(![...found.inits.keys()].some((name) => name.startsWith('alignment')));
      }
    }
  });

  test('alignment alone turns the student’s features towards the teacher’s', async () => {
    const teacher = teacherOf(MODELS.transformer);
    const only = { hard: { weight: 0 }, soft: { weight: 0 }, alignment: { weight: 1 } };
    const { fit } = await distilled(teacher, { ...only, student: MODELS.transformer, epochs: 30 });
    assert.ok(fit.history.at(-1)!.loss < 0.5 * fit.history[0]!.loss);
    assert.ok(fit.history[0]!.loss < 4);
  });

  test('soft labels on the teacher’s top items alone, beside a sampled loss, with tables by rows', async () => {
    const teacher = teacherOf(MODELS.transformer);
    for (const student of Object.values(MODELS)) {
      const rest = { answers: { top: 3, tail: 2 }, soft: { candidates: 'sampled' }, negatives: 2 };
      const { fit } = await distilled(teacher, { student, hard: { loss: 'bce' }, ...rest });
      assert.ok(fit.history.at(-1)!.loss < fit.history[0]!.loss);
    }
  });

  test('an mlp teacher judges a position by the events before it: the items to come change nothing', async () => {
    // The second event is the only target: its history is the first event, whatever comes third.
    const catalogue = catalogueOf(2, 10, { behaviours: ['view'] });
    const rows = (later: number): Event[] =>
      [1, 2].flatMap((user) => [1, 2, later, 4].map((item) => ({ user, item, value: item === 2 ? 5 : 1 })));
    const teacher = teacherOf({ ...MODELS.mlp, user: 'history' }, catalogue);
    const soft = { hard: { weight: 0 }, epochs: 1, batchSize: 64, targets: { minimumValue: 5 } };
    for (const student of Object.values(MODELS)) {
      const losses = [];
      for (const later of [3, 9]) {
        const { fit } = await distilled(teacher, { ...soft, student }, datasetOf(catalogue, rows(later)));
        losses.push(fit.history[0]!.loss);
      }
      assert.equal(losses[0], losses[1], student.name);
    }
  });

  test('users and behaviours the teacher never saw count as unknown to it', async () => {
    const grown = richCatalogue(9, 10);
    const dataset = datasetOf({ ...grown, behaviours: ['view', 'buy', 'rent'] }, [
      ...randomEvents({ ...grown, behaviours: ['view', 'buy', 'rent'] }, 3),
    ]);
    for (const config of Object.values(MODELS)) {
      const { student, fit } = await distilled(
        teacherOf(config),
        { student: MODELS.mlp, epochs: 2 },
        dataset,
      );
      assert.equal(student.catalogue.users.length, 10);
      assert.ok(fit.history.every((row) => Number.isFinite(row.loss)));
    }
  });

  test('answers in a cache are asked once, for the same settings; damaged ones anew, with a warning', async () => {
    const teacher = teacherOf(MODELS.transformer);
    const cache = join(FOLDER, 'kept');
    const run = async (more: object): Promise<{ logs: string[]; losses: number[] }> => {
      const context = recordingContext();
      const config = configOf({ student: MODELS.linear, epochs: 2, answers: { cache }, ...more });
      const { fit } = await distill(config, DATASET, { teacher }, hooks(), context);
      return {
        logs: context.lines,
        losses: fit.history.map((row) => row.loss),
      };
    };
    const asks = (logs: string[]): boolean => logs.includes('info: asked the teacher');
    const first = await run({});
    const second = await run({});
    assert.ok(asks(first.logs) && !asks(second.logs));
    assert.deepEqual(second.losses, first.losses);
    assert.ok(asks((await run({ soft: { temperature: 3 } })).logs));
    assert.equal(readdirSync(cache).length, 2, 'each setting has a folder of its own, and no lock is left');
    for (const folder of readdirSync(cache)) {
      const file = join(cache, folder, 'records.bin');
      writeFileSync(file, readFileSync(file).fill(7, 3, 4));
    }
    const mended = await run({ soft: { temperature: 3 } });
    assert.ok(mended.logs.some((line) => /^warn: the teacher is asked anew: .*was altered/.test(line)));
    assert.ok(asks(mended.logs));
  });

  test('a share of the users: as many targets are learned from as those have', async () => {
    const teacher = teacherOf(MODELS.transformer);
    const rows = trainRows(DATASET, {}, { sample: { share: 0.5, seed: 4 } });
    const users = [1, 2, 3, 4, 5, 6].filter((u) =>
      rows.weight.subarray(rows.offsets[u], rows.offsets[u + 1]).some((w) => w > 0),
    );
    assert.equal(users.length, 3);
    const { fit } = await distilled(teacher, { student: MODELS.mlp, userShare: 0.5, epochs: 1, seed: 4 });
    const targets = rows.weight.filter((w) => w > 0).length;
    assert.equal(fit.history[0]!.step, Math.ceil(targets / 4));
  });

  test('every loss trains every student, beside the others', async () => {
    const teacher = teacherOf(MODELS.transformer);
    const answers = { top: 3, tail: 2 };
    for (const student of Object.values(MODELS)) {
      for (const more of [
        { soft: { candidates: 'union', studentTop: 4 } },
        { soft: { candidates: 'sampled' }, ranking: { weight: 1, top: 2 } },
        { soft: { weight: 0 }, ranking: { weight: 1, top: 3 } },
        { alignment: { weight: 1, kind: 'relational' } },
        { alignment: { weight: 1, kind: 'mse', layer: 'middle' } },
      ]) {
        const { fit } = await distilled(teacher, { student, answers, epochs: 6, ...more });
        assert.ok(fit.history.at(-1)!.loss < fit.history[0]!.loss, `${student.name} ${JSON.stringify(more)}`);
      }
    }
  });

  test('start: teacher: a student as wide begins with the teacher’s scores of its own states, a narrower one near them', async () => {
    const teacher = teacherOf({ ...MODELS.transformer, width: 8, userAttributes: false });
    const dots = (inits: RestoredModel['inits']): number[] => {
      const { shape, data } = inits.get('item.embedding')!;
      const [rows, width] = shape as [number, number];
      const of = (a: number, b: number): number =>
        Array.from({ length: width }, (_, d) => data[a * width + d]! * data[b * width + d]!).reduce(
          (x, y) => x + y,
          0,
        );
      return Array.from({ length: rows * rows }, (_, k) => of(Math.floor(k / rows), k % rows));
    };
    const wanted = dots(teacher.inits);
    const distance = (inits: RestoredModel['inits']): number =>
      dots(inits).reduce((sum, x, k) => sum + (x - wanted[k]!) ** 2, 0);
    const begun = (width: number): RestoredModel['inits'] => {
      const config = modelSchema.parse({ ...MODELS.transformer, width, userAttributes: false });
      const inits = createModel(config, CATALOGUE).init(new Random(2));
      const fresh = distance(inits);
      startAtTeacher(inits, teacher);
      assert.ok(distance(inits) < fresh);
      return inits;
    };
    assert.ok(distance(begun(8)) < 1e-6);
    // A shorter student's newest place is the teacher's newest.
    const short = modelSchema.parse({ ...MODELS.transformer, width: 8, length: 2, userAttributes: false });
    const inits = createModel(short, CATALOGUE).init(new Random(2));
    startAtTeacher(inits, teacher);
    const square = (data: ArrayLike<number>): number => Array.from(data).reduce((sum, x) => sum + x * x, 0);
    const newest = inits.get('position.embedding')!.data.subarray(8);
    const its = teacher.inits.get('position.embedding')!.data.subarray(24);
    assert.ok(Math.abs(square(newest) / square(its) - 1) < 1e-4);
    begun(4);
    const wide = modelSchema.parse({ ...MODELS.transformer, width: 16 });
    assert.throws(() => startAtTeacher(createModel(wide, CATALOGUE).init(new Random(2)), teacher), {
      code: 'CONFIG_INVALID',
      message: /wider \(16\) than the teacher's \(8\)/,
    });
    for (const model of [MODELS.linear, MODELS.gru]) {
      const student = { ...model, width: 2 };
      const { fit } = await distilled(teacher, { student, start: 'teacher', epochs: 3 });
      assert.ok(fit.history.at(-1)!.loss < fit.history[0]!.loss, model.name);
    }
  });

  test('layers are named: middle, top, by name, and an unknown one lists those there are', () => {
    const { model } = teacherOf({ ...MODELS.transformer, depth: 4 });
    assert.deepEqual(
      ['middle', 'top', 'blocks.2'].map((l) => layerIndex(model, l)),
      [1, 3, 2],
    );
    assert.throws(() => layerIndex(model, 'blocks.9'), {
      code: 'CHECKPOINT_INCOMPATIBLE',
      message: /no layer "blocks\.9" \(it has blocks\.0, blocks\.1, blocks\.2, blocks\.3\)/,
    });
  });

  test('what cannot be distilled is refused before any work', async () => {
    const teacher = teacherOf(MODELS.transformer);
    const bigger = datasetOf(catalogueOf(6, 12), randomEvents(CATALOGUE, 1));
    await assert.rejects(distilled(teacher, {}, bigger), {
      code: 'CHECKPOINT_INCOMPATIBLE',
      message: /"i11", "i12"/,
    });
    const few = { student: MODELS.linear, ranking: { weight: 1, top: 9 }, answers: { top: 3 } };
    assert.throws(() => configOf(few), /the teacher's best 3/);
    const nothing = { student: MODELS.linear, soft: { weight: 0 }, hard: { weight: 0 } };
    await assert.rejects(distilled(teacher, nothing), { code: 'CONFIG_INVALID', message: /all 0/ });
  });
});
