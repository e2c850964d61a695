import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ParameterInits } from '../../src/compute/parameters.js';
import { SPLIT } from '../../src/data/dataset.js';
import { growTensors } from '../../src/model/grow.js';
import { foreignWarning, growCatalogue, requireSameItems } from '../../src/training/growth.js';
import type { Catalogue, FeatureTable, TensorMap } from '../../src/types.js';
import { catalogueOf, datasetOf, noFeatures } from '../suites/fixtures.js';

const features = (
  tokens: number[][],
  tokenNames: string[],
  numbers: number[][],
  numberNames: string[],
): FeatureTable => ({
  rows: tokens.length,
  width: tokens[0]!.length,
  tokens: Int32Array.from(tokens.flat()),
  tokenNames,
  numbers: Float32Array.from(numbers.flat()),
  numberNames,
});

const OLD: Catalogue = {
  users: ['', 'ann', 'bob'],
  items: ['', 'x', 'y'],
  behaviours: ['view'],
  titles: ['', 'The X', ''],
  itemCounts: Float32Array.of(0, 7, 2),
  itemFeatures: features([[0], [1], [2]], ['', 'g=a', 'g=b'], [[0], [0.5], [-0.5]], ['price']),
  userFeatures: noFeatures(3),
};

/** The same items in another order, a new one first; a token and a number the model never saw. */
const FRESH: Catalogue = {
  users: ['', 'cyd', 'bob'],
  items: ['', 'z', 'y', 'x'],
  behaviours: ['buy', 'view'],
  titles: ['', 'The Z', 'The Y', 'Another X'],
  itemCounts: Float32Array.of(0, 3, 5, 1),
  itemFeatures: features(
    [
      [0, 0],
      [3, 2],
      [1, 0],
      [1, 0],
    ],
    ['', 'g=b', 'g=a', 'g=new'],
    [
      [0, 0],
      [9, 2],
      [9, 3],
      [9, 4],
    ],
    ['weight', 'price'],
  ),
  userFeatures: noFeatures(3),
};

const DATASET = datasetOf(FRESH, [
  { user: 1, item: 1, behaviour: 0, value: 4 },
  { user: 1, item: 3, behaviour: 1, value: 2, split: 'test' },
  { user: 2, item: 2, behaviour: 1, value: 1, split: 'validation' },
]);

describe('a catalogue grown by a dataset', () => {
  const { catalogue, dataset, added } = growCatalogue(OLD, DATASET);

  test('keeps every old index and appends what is new', () => {
    assert.deepEqual(catalogue.users, ['', 'ann', 'bob', 'cyd']);
    assert.deepEqual(catalogue.items, ['', 'x', 'y', 'z']);
    assert.deepEqual(catalogue.behaviours, ['view', 'buy']);
    assert.deepEqual(catalogue.titles, ['', 'The X', 'The Y', 'The Z']);
    assert.deepEqual([...catalogue.itemCounts], [0, 7, 5, 3]);
    assert.deepEqual(added, { users: 1, items: 1, behaviours: 1, itemTokens: 1, userTokens: 0 });
  });

  test('keeps old attributes and moves new entities’ to the grown tokens and the old numbers', () => {
    const { rows, width, tokens, tokenNames, numbers, numberNames } = catalogue.itemFeatures;
    assert.deepEqual([rows, width, numberNames], [4, 2, ['price']]);
    assert.deepEqual(tokenNames, ['', 'g=a', 'g=b', 'g=new']);
    assert.deepEqual([...tokens], [0, 0, 1, 0, 2, 0, 3, 1]);
    assert.deepEqual([...numbers], [0, 0.5, -0.5, 2]);
  });

  test('holds the interactions in the new numbering, grouped by user, in order', () => {
    const { user, item, behaviour, value, split, offsets, length } = dataset.interactions;
    assert.equal(length, 3);
    assert.deepEqual([...user], [2, 3, 3]);
    assert.deepEqual([...item], [2, 3, 1]);
    assert.deepEqual([...behaviour], [0, 1, 0]);
    assert.deepEqual([...value], [1, 4, 2]);
    assert.deepEqual([...split], [SPLIT.validation, SPLIT.train, SPLIT.test]);
    assert.deepEqual([...offsets], [0, 0, 0, 1, 3]);
    assert.deepEqual(
      dataset.manifest.behaviours.map((b) => b.name),
      ['view', 'buy'],
    );
  });

  test('by its own dataset stays as it is', () => {
    const again = growCatalogue(FRESH, DATASET);
    assert.deepEqual(again.catalogue, FRESH);
    assert.deepEqual(again.dataset.interactions, DATASET.interactions);
    assert.deepEqual(Object.values(again.added), [0, 0, 0, 0, 0]);
  });

  test('of a dataset whose items are hardly known a warning counts what is shared', () => {
    const items = ['', 'y', ...Array.from({ length: 20 }, (_, i) => `new${i}`)];
    const other = catalogueOf(2, items.length - 1);
    const foreign = datasetOf({ ...other, items, users: ['', 'ann', 'cyd'] }, [{ user: 1, item: 2 }]);
    assert.match(foreignWarning(OLD, foreign)!, /knows 1 of the dataset's 21 items and 1 of its 2 users/);
    assert.equal(foreignWarning({ ...OLD, items: items.slice(0, 4) }, foreign), undefined);
    assert.equal(foreignWarning(OLD, DATASET), undefined);
  });

  test('a stage that cannot grow items names the unknown ones', () => {
    requireSameItems(FRESH, DATASET, 'the teacher');
    assert.throws(() => requireSameItems(OLD, DATASET, 'the teacher'), {
      code: 'CHECKPOINT_INCOMPATIBLE',
      message: /the teacher does not know 1 of the dataset's 3 items \("z"\)/,
    });
    const many = datasetOf(catalogueOf(1, 9), []);
    assert.throws(() => requireSameItems(OLD, many, 'it'), {
      message: /9 of .* 9 items \("i1", .*"i5", …\)/,
    });
  });
});

describe('tensors grown into a skeleton', () => {
  const skeleton = (): ParameterInits =>
    new Map([
      [
        'item.embedding',
        { shape: [3, 2], data: Float32Array.of(0, 0, 9, 9, 8, 8), table: true, grows: 'items' },
      ],
      ['weight', { shape: [2], data: Float32Array.of(7, 7), table: false }],
    ]);
  const tensor = (shape: number[], ...values: number[]) => ({
    dtype: 'F32' as const,
    shape,
    data: Float32Array.from(values),
  });
  const weight = ['weight', tensor([2], 1, 2)] as const;

  test('keep their rows; new rows keep the skeleton’s values, and the old tensors are not touched', () => {
    const old: TensorMap = new Map([weight, ['item.embedding', tensor([2, 2], 1, 2, 3, 4)]]);
    const grown = growTensors(skeleton(), old, 'here');
    assert.deepEqual([...grown.get('item.embedding')!.data], [1, 2, 3, 4, 8, 8]);
    assert.deepEqual([...grown.get('weight')!.data], [1, 2]);
    assert.deepEqual([...old.get('item.embedding')!.data], [1, 2, 3, 4]);
  });

  test('a table that is new altogether starts fresh', () => {
    const grown = growTensors(skeleton(), new Map([weight]), 'here');
    assert.deepEqual([...grown.get('item.embedding')!.data], [0, 0, 9, 9, 8, 8]);
  });

  test('another width, a table that shrinks or a missing weight is refused by name', () => {
    const refused = (old: TensorMap, message: RegExp): void =>
      assert.throws(() => growTensors(skeleton(), old, 'finetune --from'), {
        code: 'CHECKPOINT_INCOMPATIBLE',
        message,
      });
    refused(
      new Map([weight, ['item.embedding', tensor([2, 1], 1, 2)]]),
      /"item\.embedding": expected \[3,2\], found \[2,1\]/,
    );
    refused(new Map([weight, ['item.embedding', tensor([4, 2], 1, 2, 3, 4, 5, 6, 7, 8)]]), /found \[4,2\]/);
    refused(new Map([['weight', tensor([3], 1, 2, 3)]]), /"weight": expected \[2\], found \[3\]/);
    refused(new Map(), /"weight": expected \[2\], found nothing/);
  });
});
