import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { selectBackend } from '../../src/compute/select.js';
import { restoreModel } from '../../src/model/restore.js';
import { firstItems, firstRows, takesItems, withRoom } from '../../src/model/room.js';
import type { OnlineEvent } from '../../src/online/events.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { OpenCatalogue } from '../../src/online/open-catalogue.js';
import { learningSchema } from '../../src/online/schema.js';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { writeTinyCheckpoint } from './checkpoint-fixture.js';
import { catalogue, NOW, startService, temporary } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

async function tiny(t: Parameters<typeof temporary>[0]) {
  const path = `${await temporary(t)}/model`;
  await writeTinyCheckpoint(path);
  return readCheckpoint(path);
}

test('rows are taken in order, an item keeps its row, and there is an end', () => {
  const known = catalogue(2, 3);
  const open = new OpenCatalogue({ ...known, items: [...known.items, '', ''] }, 4);
  assert.deepEqual([open.size, open.get('i3'), open.get('new')], [4, 3, undefined]);
  assert.deepEqual(
    [open.take('new'), open.take('i1'), open.take('newer'), open.take('newest')],
    [4, 1, 5, undefined],
  );
  assert.deepEqual([open.take('new'), open.size], [4, 6]);
  assert.deepEqual(open.catalogue.items.slice(3), ['i3', 'new', 'newer']);
});

test('a model with room scores what it knows as before, and is cut back to what it was', async (t) => {
  const checkpoint = await tiny(t);
  const restored = restoreModel(checkpoint);
  const rows = checkpoint.catalogue.items.length;
  const roomy = withRoom(restored, rows + 7, 3, 'here');
  assert.equal(roomy.catalogue.items.length, rows + 7);
  assert(takesItems(roomy.inits), 'all that it has of items are rows');
  const query = { user: 0, items: Int32Array.of(3, 5), behaviours: new Uint8Array(2) };
  const [plain, more] = [restored, roomy].map((model) => modelLearner(model, learningSchema.parse({}), 1));
  const scores = await more!.score([query]);
  assert.equal(scores.length, rows + 7);
  assert.deepEqual(scores.slice(0, rows), await plain!.score([query]));
  const { parameters } = await more!.snapshot();
  assert.deepEqual(firstRows(parameters, roomy.inits, rows), (await plain!.snapshot()).parameters);
  assert.deepEqual(firstItems(roomy.catalogue, rows), checkpoint.catalogue);
});

const event = (n: number, user: string, item: string): OnlineEvent => ({
  id: `e${n}`,
  user,
  item,
  behaviour: 'view',
  time: NOW + n,
});

test('an item that comes is recommended after a few events, to those who have had what its buyers had', async (t) => {
  const checkpoint = await tiny(t);
  const known = checkpoint.catalogue.items.length;
  const learning = { learningRate: 0.1, batch: 4, newItems: 5 };
  const made = () => {
    const model = withRoom(restoreModel(checkpoint), known + 5, 1, 'here');
    const learner = modelLearner(model, learningSchema.parse(learning), 1, { known });
    return { catalogue: model.catalogue, known, learner, learning };
  };
  const directory = await temporary(t);
  const { service } = await startService(`${directory}/journal`, made());
  const request = { user: 'asks', includeSeen: false, k: 50 };
  const rankFor = async (of: typeof service, item: string): Promise<number> =>
    (await of.recommend(request)).items.findIndex((one) => one.item === item) + 1;
  await service.accept([event(0, 'asks', 'i3')]);
  await service.idle();
  assert.equal(await rankFor(service, 'novelty'), 0, 'nobody has heard of it');
  assert(
    (await service.recommend(request)).items.every(({ item }) => item !== ''),
    'free rows are in no list',
  );
  const ranks: number[] = [];
  for (let n = 1; n <= 12; n++) {
    await service.accept([event(2 * n - 1, `buyer${n}`, 'i3'), event(2 * n, `buyer${n}`, 'novelty')]);
    await service.idle();
    ranks.push(await rankFor(service, 'novelty'));
  }
  assert(ranks[0]! > 0, 'it is in the catalogue with its first event');
  assert(ranks.at(-1)! <= 3, `${ranks}`);
  // Six more items, for four rows that are left.
  await service.accept(Array.from({ length: 6 }, (_, n) => event(100 + n, 'asks', `more${n}`)));
  await service.idle();
  const expected = await service.recommend(request);
  const { state, catalogue: grown, learner } = await service.snapshot();
  assert.deepEqual(grown.items.slice(known), ['novelty', 'more0', 'more1', 'more2', 'more3']);
  assert.deepEqual(
    [...learner.parameters.values()].filter(({ shape }) => shape[0]! > grown.items.length),
    [],
    'no tensor has a row that is free',
  );
  assert.equal(state.popularity.length, grown.items.length);
  await service.close();

  const again = await startService(`${directory}/journal`, made());
  await again.service.idle();
  assert.deepEqual(await again.service.recommend(request), expected);
  const replayed = await again.service.snapshot();
  assert.deepEqual(replayed.learner, learner, 'a replay gives the same rows the same values');
  assert.deepEqual(replayed.state, state);
  await again.service.close();
});
