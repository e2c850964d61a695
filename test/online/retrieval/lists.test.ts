import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { selectBackend } from '../../../src/compute/select.js';
import { Exploration } from '../../../src/online/exploration/exploration.js';
import { explorationSchema } from '../../../src/online/exploration/schema.js';
import { turn } from '../../../src/online/turn.js';
import type { RecommendRequest } from '../../../src/protocol/recommendations.js';
import { catalogue, startService, temporary } from '../fixtures.js';
import { ITEMS, learnerOf, MODELS, made, retrievalOf, skip } from './fixtures.js';

await selectBackend('cpu');

type Request = Partial<RecommendRequest>;

/** Two services that were sent the same events, one with an index. */
async function both(t: TestContext, model: object, config: object, over: object = {}) {
  const dir = await temporary(t);
  const learning = { batch: 1, ...(over as { learning?: object }).learning };
  const learner = learnerOf(model, ITEMS, learning);
  const { retrieval, registry, lines } = await retrievalOf(join(dir, 'index'), learner, config);
  const options = () => ({ ...over, learning, catalogue: catalogue(5, ITEMS) });
  const index = await startService(join(dir, 'a'), { ...options(), learner, retrieval });
  const exact = await startService(join(dir, 'b'), {
    ...options(),
    learner: learnerOf(model, ITEMS, learning),
  });
  t.after(() => Promise.all([index.service.close(), exact.service.close()]));
  await made(retrieval);
  for (const { service } of [index, exact]) {
    for (const [n, item] of [5, 900, 31, 5, 1200, 77].entries()) {
      const event = { id: `e${n}`, user: n % 2 === 0 ? 'ann' : 'bob', item: `i${item}`, behaviour: 'view' };
      await service.accept([{ ...event, time: n }]);
      await service.idle();
    }
  }
  const ask = async (request: Request) => {
    const [found, expected] = await Promise.all(
      [index, exact].map(({ service }) =>
        service.recommend({ includeSeen: false, ...request }, { requestId: 'r' }),
      ),
    );
    return { found: found!, expected: expected! };
  };
  const metric = async (name: string): Promise<number> => {
    const text = await registry.metrics();
    const line = text.split('\n').find((one) => one.startsWith(`recsys_retrieval_${name} `));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  const alike = async (request: Request): Promise<void> => {
    const { found, expected } = await ask(request);
    assert.deepEqual(
      found.items.map(({ item }) => item),
      expected.items.map(({ item }) => item),
    );
    for (const [i, { score, propensity }] of found.items.entries()) {
      const of = expected.items[i]!;
      assert(Math.abs(score - of.score) < 1e-4 * Math.max(1, Math.abs(of.score)));
      assert.equal(propensity === undefined, of.propensity === undefined);
    }
  };
  return { ask, alike, metric, retrieval, lines, service: index.service };
}

const REQUESTS: readonly Request[] = [
  { user: 'ann', k: 20 },
  { user: 'ann', k: 20, includeSeen: true },
  { user: 'bob', k: 7, exclude: ['i1', 'i2', 'i3'] },
  { history: ['i7', 'i8'], k: 30 },
  { user: 'bob', history: ['i7'], k: 5 },
];

for (const [name, model] of Object.entries(MODELS)) {
  test(`${name}: with as many candidates as items lists are the exact ones`, { skip }, async (t) => {
    const { alike, metric, ask, service } = await both(t, model, { candidates: ITEMS });
    for (const request of REQUESTS) await alike(request);
    const { state } = await service.state('ann');
    await alike({ state: [...state], k: 20 });
    assert.equal(await metric('lists_total{scored="index"}'), REQUESTS.length + 1);
    // What needs every score has every score.
    await alike({ user: 'ann', candidates: ['i1', 'i40', 'i41'], k: 3 });
    const { found, expected } = await ask({ user: 'ann', k: 3, reasons: true });
    assert.deepEqual(found.items[0]!.reasons, expected.items[0]!.reasons);
    assert.equal(await metric('lists_total{scored="exact"}'), 2);
    assert.equal(await metric('ready'), 1);
    while (Number.isNaN(await metric('recall'))) await turn();
    assert.equal(await metric('recall'), 1);
    const unknown = await ask({ user: 'nobody', k: 3 });
    assert.equal(unknown.found.fallbackReason, 'unknown user');
  });

  test(`${name}: users' own weights, and what comes again, are in the scores of candidates`, {
    skip,
  }, async (t) => {
    const user = {
      rate: 0.3,
      scale: 0.5,
      repeat: { rate: 0.1, start: { recent: 3, seen: 1 } },
      trend: { rate: 0.1, start: 0.4 },
    };
    const over = { learning: { user }, retention: { history: 50 } };
    const { alike, metric } = await both(t, model, { candidates: ITEMS }, over);
    for (const request of REQUESTS) await alike(request);
    assert.equal(await metric('lists_total{scored="index"}'), REQUESTS.length);
  });
}

test('few candidates: what the history has and events named is found, and most of the rest', {
  skip,
}, async (t) => {
  const { ask, metric } = await both(t, MODELS.linear, { candidates: 60 });
  let common = 0;
  for (const user of ['ann', 'bob']) {
    const { found, expected } = await ask({ user, k: 20, includeSeen: true });
    const had = new Set(found.items.map(({ item }) => item));
    common += expected.items.filter(({ item }) => had.has(item)).length;
  }
  assert(common >= 38, `${common} of 40`);
  assert.equal(await metric('lists_total{scored="short"}'), 0);
  while (Number.isNaN(await metric('recall'))) await turn();
  assert((await metric('recall')) >= 0.95);
});

test('where rules leave too few candidates every item is scored', { skip }, async (t) => {
  const { ask, alike, metric } = await both(t, MODELS.linear, { candidates: 12, fresh: 0 });
  const { expected } = await ask({ user: 'ann', k: 12 });
  assert.equal(await metric('lists_total{scored="index"}'), 1);
  const exclude = expected.items.map(({ item }) => item);
  await alike({ user: 'ann', k: 10, exclude });
  assert.equal(await metric('lists_total{scored="short"}'), 1);
  // More than there are: the list is as long as the exact one.
  await alike({ user: 'ann', k: 1000 });
  assert.equal(await metric('lists_total{scored="short"}'), 2);
});

test('lists that explore or keep apart are made of candidates as of all', { skip }, async (t) => {
  const exploration = new Exploration(explorationSchema.parse({ kind: 'softmax', temperature: 2 }), 7);
  for (const over of [{ lists: { diversity: 0.2 } }, { serving: { exploration } }]) {
    const { alike, metric } = await both(t, MODELS.linear, { candidates: ITEMS }, over);
    await alike({ user: 'ann', k: 20 });
    assert.equal(await metric('lists_total{scored="index"}'), 1);
    while (Number.isNaN(await metric('recall'))) await turn();
    assert.equal(await metric('recall'), 1);
  }
});

test('a list is compared with the exact one, and what fails then harms nobody', { skip }, async (t) => {
  const { ask, metric, lines, service } = await both(t, MODELS.linear, { candidates: 30 });
  assert(Number.isNaN(await metric('recall')));
  const { learner } = (service as unknown as { options: { learner: { score: unknown } } }).options;
  const { score } = learner;
  learner.score = () => Promise.reject(new Error('no'));
  const { found } = await ask({ user: 'ann', k: 20 });
  while (!lines.some((line) => line.startsWith('warn'))) await turn();
  learner.score = score;
  assert.equal(found.items.length, 20);
  assert(Number.isNaN(await metric('recall')));
  assert.match(lines.join(), /warn: a list could not be compared with the exact one: Error: no/);
});
