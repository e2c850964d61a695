import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Adwin, cutOf, type DriftDetector } from '../../../src/online/guard/adwin.js';
import { DriftWatch } from '../../../src/online/guard/drift.js';
import { PageHinkley } from '../../../src/online/guard/page-hinkley.js';
import { guardSchema } from '../../../src/online/guard/schema.js';
import { Random } from '../../../src/random.js';

const config = guardSchema.parse({}).drift;
const DETECTORS: [string, () => DriftDetector, { small: number; large: number }][] = [
  // Events from a jump of 0.1, and of 0.3, to the alarm, at most.
  ['ADWIN', () => new Adwin(config.adwin), { small: 400, large: 100 }],
  [
    'Page–Hinkley',
    () => new PageHinkley(config.pageHinkley.delta, config.pageHinkley.threshold),
    { small: 500, large: 120 },
  ],
];

/** Numbers between 0 and 1 around `mean(n)`, standard deviation 0.15. */
function* noise(seed: number, count: number, mean: (n: number) => number): Generator<number> {
  const random = Random.of(seed, 'drift');
  for (let n = 0; n < count; n++) yield Math.min(1, Math.max(0, mean(n) + 0.15 * random.normal()));
}

for (const [name, made, delays] of DETECTORS) {
  test(`${name}: of 100 streams of 5,000 events without a change at most one alarms`, () => {
    let alarms = 0;
    for (let seed = 0; seed < 100; seed++) {
      const detector = made();
      let alarmed = false;
      for (const value of noise(seed, 5000, () => 0.4))
        alarmed = detector.add(value) !== undefined || alarmed;
      alarms += Number(alarmed);
    }
    assert(alarms <= 1, `${alarms}`);
  });

  test(`${name}: a jump is found within the stated delay, with the means before and after`, () => {
    for (const [jump, delay] of [
      [0.1, delays.small],
      [0.3, delays.large],
    ] as const)
      for (let seed = 0; seed < 30; seed++) {
        const detector = made();
        let found: number | undefined;
        let n = 0;
        for (const value of noise(seed, 3000, (at) => 0.4 + (at < 2000 ? 0 : jump))) {
          const drift = detector.add(value);
          if (drift && found === undefined) {
            found = n;
            assert(drift.before < drift.after, 'it has risen');
            assert(Math.abs(drift.before - 0.4) < 0.05, `${drift.before}`);
          }
          n++;
        }
        assert(found! >= 2000 && found! < 2000 + delay, `jump ${jump}, seed ${seed}: ${found! - 2000}`);
      }
  });
}

test('Page–Hinkley, by hand', () => {
  const detector = new PageHinkley(0, 1);
  // Thirty zeros: m stays 0. Then ones: x̄ = k / (30 + k), m grows by 1 − x̄ each.
  for (let n = 0; n < 30; n++) assert.equal(detector.add(0), undefined);
  assert.equal(detector.add(1), undefined, 'm = 30/31');
  assert.deepEqual(detector.add(1), { before: 0, after: 1, length: 2 });
  assert.equal(detector.add(1), undefined, 'begun afresh');
  assert.equal(
    new Array(500).fill(0).some((_, n) => new PageHinkley(0, 1).add(n / 500)),
    false,
  );
});

test('ADWIN holds the mean and variance of the newest values in few buckets, and cuts only where all cuts are tried, too', () => {
  const runs = fc.array(
    fc.record({
      level: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.integer({ min: 1, max: 120 }),
    }),
    { minLength: 1, maxLength: 5 },
  );
  let cuts = 0;
  fc.assert(
    fc.property(runs, fc.nat(), (levels, seed) => {
      const random = Random.of(seed, 'levels');
      const adwin = new Adwin(0.05);
      let window: number[] = [];
      for (const value of levels.flatMap(({ level, length }) =>
        Array.from({ length }, () => 0.8 * level + 0.2 * random.uniform()),
      )) {
        window.push(value);
        const drift = adwin.add(value);
        if (drift) {
          cuts++;
          assert(bruteForce(window, 0.05), 'a cut where there is none');
          window = window.slice(-adwin.length);
        }
        const mean = window.reduce((a, b) => a + b, 0) / window.length;
        const variance = window.reduce((a, b) => a + (b - mean) ** 2, 0) / window.length;
        assert.equal(adwin.length, window.length);
        assert(Math.abs(adwin.mean - mean) < 1e-9, `${adwin.mean} ${mean}`);
        assert(Math.abs(adwin.variance - variance) < 1e-9, `${adwin.variance} ${variance}`);
        assert(adwin.size <= 5 * (Math.log2(window.length) + 1) + 1, `${adwin.size} of ${window.length}`);
      }
    }),
    // However the others are drawn, there is a cut in these.
    {
      examples: [
        [
          [
            { level: 0, length: 100 },
            { level: 1, length: 100 },
          ],
          1,
        ],
      ],
    },
  );
  assert(cuts > 0);
});

/** Whether any cut of a window, of all there are, has means that differ. */
function bruteForce(window: readonly number[], delta: number): boolean {
  const n = window.length;
  const mean = (part: readonly number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
  const all = mean(window);
  const variance = window.reduce((sum, x) => sum + (x - all) ** 2, 0) / n;
  for (let cut = 5; cut <= n - 5; cut++) {
    const apart = Math.abs(mean(window.slice(0, cut)) - mean(window.slice(cut)));
    if (apart > cutOf(cut, n - cut, variance, delta)) return true;
  }
  return false;
}

test('ADWIN finds nearly all that trying every cut finds, a few events later at most', () => {
  for (let seed = 0; seed < 10; seed++) {
    const adwin = new Adwin(0.002);
    const window: number[] = [];
    let [own, brute]: (number | undefined)[] = [];
    let n = 0;
    for (const value of noise(seed, 900, (at) => 0.3 + (at < 500 ? 0 : 0.2))) {
      window.push(value);
      if (n >= 450 && brute === undefined && bruteForce(window, 0.002)) brute = n;
      if (adwin.add(value) && own === undefined) own = n;
      n++;
      if (own !== undefined) break;
    }
    assert(brute! <= own! && own! - brute! <= 40, `${brute} ${own}`);
  }
});

test('a worse loss is a drift, a better one is not; misses count for nothing; NDCG without a softmax', () => {
  const watch = new DriftWatch(config, 40, true);
  const found: number[] = [];
  const feed = (logLoss: number, from: number): void => {
    for (let seq = from; seq < from + 400; seq++) {
      for (const { since, detector } of watch.add(seq, { rank: 1, logLoss: logLoss + (seq % 3) / 10 })) {
        found.push(since);
        assert(detector === 'ADWIN' || detector === 'Page–Hinkley');
      }
      watch.add(seq, { rank: Number.POSITIVE_INFINITY, logLoss: Number.NaN });
    }
  };
  feed(3, 0);
  feed(1, 400);
  assert.deepEqual(found, []);
  feed(4, 800);
  assert(
    found.length >= 1 && found.length <= 3 && found.every((since) => since >= 780 && since <= 830),
    `${found}`,
  );
  const lists = new DriftWatch(config, 40, false);
  const drifts = Array.from({ length: 800 }, (_, seq) =>
    lists.add(seq, { rank: seq < 400 ? 1 : 30, logLoss: 0 }),
  );
  assert(drifts.flat().length >= 1);
  assert(
    Array.from({ length: 800 }, (_, n) =>
      new DriftWatch({ adwin: 0, pageHinkley: { delta: 0, threshold: 0 } }, 9, true).add(n, {
        rank: 1,
        logLoss: n,
      }),
    ).flat().length === 0,
  );
});
