import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readExperiment } from '../../../src/evaluation/experiment/log.js';

interface Line {
  readonly user?: string;
  readonly variant?: string;
  readonly experiment?: string;
  readonly share?: number;
  readonly bought?: readonly string[];
}

async function* linesOf(lines: readonly (Line | string)[]): AsyncGenerator<string> {
  for (const [n, line] of lines.entries()) {
    if (typeof line === 'string') {
      yield line;
      continue;
    }
    const { user, variant, experiment = 'size', share = 0.5, bought = [] } = line;
    yield JSON.stringify({
      requestId: `r${n}`,
      user,
      items: [{ item: 'a' }, { item: 'b' }],
      events: [{ item: 'a', behaviour: 'view' }, ...bought.map((item) => ({ item, behaviour: 'buy' }))],
      ...(variant === undefined ? {} : { variant: { experiment, name: variant, share } }),
    });
  }
}

const read = (lines: readonly (Line | string)[], experiment?: string) =>
  readExperiment(linesOf(lines), 'log.jsonl', { experiment, behaviours: ['buy'] });

describe('the log of an experiment', () => {
  test('totals by variant and user; what was bought twice, or was not in the list, counts once, or not', async () => {
    const { experiment, variants, switched, outside } = await read([
      { user: 'ann', variant: 'control', bought: ['a', 'a', 'z'] },
      { user: 'ann', variant: 'control' },
      { user: 'bob', variant: 'large', bought: ['a', 'b'] },
      '',
      { user: 'cat' },
      { variant: 'large', bought: ['a'] },
    ]);
    assert.deepEqual([experiment, switched, outside], ['size', 0, 2]);
    assert.deepEqual([...variants.get('control')!.users], [['ann', { lists: 2, successes: 1 }]]);
    assert.deepEqual([...variants.get('large')!.users], [['bob', { lists: 1, successes: 2 }]]);
  });

  test('who had lists of two variants is in neither', async () => {
    const { variants, switched } = await read([
      { user: 'ann', variant: 'control' },
      { user: 'ann', variant: 'large' },
      { user: 'ann', variant: 'control' },
      { user: 'bob', variant: 'large' },
    ]);
    assert.equal(switched, 1);
    assert.deepEqual([variants.get('control')!.users.size, variants.get('large')!.users.size], [0, 1]);
  });

  test('a list without an item is one that earned nothing; who is left must be somebody', async () => {
    const empty = JSON.stringify({
      user: 'ann',
      items: [],
      variant: { experiment: 'x', name: 'a', share: 0.5 },
    });
    const { variants } = await read([empty]);
    assert.deepEqual([...variants.get('a')!.users], [['ann', { lists: 1, successes: 0 }]]);
    await assert.rejects(
      read([
        { user: 'ann', variant: 'control' },
        { user: 'ann', variant: 'large' },
      ]),
      { code: 'DATA_EMPTY', message: /every user had lists of several variants/ },
    );
  });

  test('of several experiments one must be named; the lists of others are outside', async () => {
    const lines = [
      { user: 'ann', variant: 'control' },
      { user: 'ann', variant: 'green', experiment: 'colour' },
    ];
    await assert.rejects(read(lines), /log\.jsonl:2: there are several experiments: size, colour/);
    const { variants, outside } = await read(lines, 'colour');
    assert.deepEqual([[...variants.keys()], outside], [['green'], 1]);
  });

  test('shares that changed, an experiment that is not there, and what is no list are refused', async () => {
    const share = [
      { user: 'ann', variant: 'control' },
      { user: 'bob', variant: 'control', share: 0.1 },
    ];
    await assert.rejects(read(share), /log\.jsonl:2: the share of control is 0\.1, and was 0\.5/);
    await assert.rejects(read([{ user: 'ann', variant: 'a' }], 'sizes'), /no list of “sizes”.*size/);
    await assert.rejects(read([{ user: 'ann' }]), /no list of an experiment/);
    await assert.rejects(read(['{']), /log\.jsonl:1: not JSON/);
    await assert.rejects(read(['{"items": 1}']), /log\.jsonl:1: items is not as/);
  });
});
