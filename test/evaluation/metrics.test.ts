import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { metricsOf, rankingMetricNames, rankingMetrics } from '../../src/evaluation/metrics.js';
import { rankTargets } from '../../src/evaluation/rank.js';
import { close } from './fixture.js';

function same(actual: Record<string, number>, expected: Record<string, number>): void {
  for (const [name, value] of Object.entries(expected))
    assert.ok(close(actual[name]!, value), `${name}: ${actual[name]} ≠ ${value}`);
}

test('one target on the third place', () => {
  same(metricsOf([2], [1, 5, 10]), {
    'hr@1': 0,
    'ndcg@1': 0,
    'mrr@1': 0,
    'hr@5': 1,
    'ndcg@5': 0.5,
    'recall@5': 1,
    'precision@5': 0.2,
    'mrr@5': 1 / 3,
    'map@5': 1 / 3,
    'precision@10': 0.1,
  });
});

test('three targets on places 1, 3 and 6, cut at 2, 5 and 10', () => {
  const dcg5 = 1 + 1 / Math.log2(4);
  const ideal3 = 1 + 1 / Math.log2(3) + 1 / Math.log2(4);
  same(metricsOf([0, 2, 5], [2, 5, 10]), {
    'ndcg@2': 1 / (1 + 1 / Math.log2(3)),
    'recall@2': 1 / 3,
    'precision@2': 0.5,
    'map@2': 0.5,
    'ndcg@5': dcg5 / ideal3,
    'recall@5': 2 / 3,
    'precision@5': 0.4,
    'map@5': (1 + 2 / 3) / 3,
    'ndcg@10': (dcg5 + 1 / Math.log2(7)) / ideal3,
    'map@10': (1 + 2 / 3 + 3 / 6) / 3,
    'mrr@10': 1,
  });
});

test('a perfect list is 1 everywhere but where k exceeds the targets', () => {
  same(metricsOf([0, 1, 2], [2, 3]), {
    'ndcg@2': 1,
    'map@2': 1,
    'recall@2': 2 / 3,
    'precision@2': 1,
    'recall@3': 1,
    'precision@3': 1,
  });
});

test('a target on the last place, and k beyond the catalogue', () => {
  same(metricsOf([99], [10, 1000]), {
    'hr@10': 0,
    'ndcg@10': 0,
    'hr@1000': 1,
    'mrr@1000': 0.01,
    'precision@1000': 0.001,
  });
});

test('a target outside the candidates misses at every k', () => {
  const values = metricsOf([Number.POSITIVE_INFINITY], [1, 1000]);
  assert.ok(Object.values(values).every((value) => value === 0));
});

test('a half rank from ties is on the list where it is below k', () => {
  same(metricsOf([9.5], [10]), { 'hr@10': 1, 'ndcg@10': 1 / Math.log2(11.5), 'mrr@10': 1 / 10.5 });
});

test('the metrics are within [0, 1] and do not fall with k where they cannot', () => {
  const scores = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(scores, fc.integer({ min: 1, max: 6 }), fc.nat(), (values, targets, shift) => {
      const items = values.length;
      const chosen = new Set(
        Array.from({ length: Math.min(targets, items) }, (_, i) => 1 + ((i * 7 + shift) % items)),
      );
      const ranks = rankTargets(
        Float32Array.from([0, ...values]),
        items,
        0,
        Int32Array.from(chosen).sort(),
        new Int32Array(0),
      );
      const ks = [1, 2, 3, 5, 10, 50];
      const row = new Float64Array(rankingMetricNames(ks).length);
      rankingMetrics(ranks, ks, row);
      assert.ok(
        row.every((value) => value >= 0 && value <= 1 + 1e-12),
        String(row),
      );
      const byName = metricsOf(ranks, ks);
      for (const metric of ['hr', 'recall', 'mrr']) {
        for (let i = 1; i < ks.length; i++)
          assert.ok(byName[`${metric}@${ks[i]}`]! >= byName[`${metric}@${ks[i - 1]}`]!);
      }
    }),
  );
});
