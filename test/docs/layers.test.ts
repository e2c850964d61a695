import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { dropoutMask, INFERENCE } from '../../src/compute/dropout.js';
import { gru } from '../../src/compute/ops/gru.js';
import { type ParameterInits, ParameterStore, type Params } from '../../src/compute/parameters.js';
import { BehaviourHeads } from '../../src/model/heads/heads.js';
import { bottleneck } from '../../src/model/layers/bottleneck.js';
import { FEED_FORWARDS } from '../../src/model/layers/feedforward/index.js';
import { NORMS } from '../../src/model/layers/norm/index.js';
import { RESIDUALS } from '../../src/model/layers/residual/index.js';
import { SIMILARITIES } from '../../src/model/layers/similarity/index.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { catalogueOf, withNoise } from '../suites/fixtures.js';
import { agrees, dot, length, mean, params, sigmoid, stated, sum } from './formulas.js';

const S = [0.3, -1.2, 2.1, 0.4, -0.7];
const silu = (z: number): number => z * sigmoid(z);

onBackend('cpu', 'docs/concepts.md: bottlenecks', () => {
  stated(['y ← y + relu(y · down + b) · up + c'], () => {
    const down = [
      [0.4, -1],
      [0.3, 0.2],
      [-0.5, 0.6],
      [1, 0.1],
      [0.2, -0.3],
    ];
    const up = [
      [1, -0.5, 0.2, 0, 0.7],
      [0.3, 0.4, -1, 2, 0.1],
    ];
    const [b, c] = [
      [0.1, 0.9],
      [0, 0.2, -0.1, 0.5, 1],
    ];
    const held = params({
      'n.down': tf.tensor2d(down),
      'n.downBias': tf.tensor1d(b!),
      'n.up': tf.tensor2d(up),
      'n.upBias': tf.tensor1d(c!),
    });
    const inner = b!.map((bias, k) => sum(S.map((v, i) => v * down[i]![k]!)) + bias);
    assert.ok(inner.some((v) => v < 0) && inner.some((v) => v > 0), 'on both sides of 0');
    const expected = S.map((v, i) => v + sum(inner.map((h, k) => Math.max(0, h) * up[k]![i]!)) + c![i]!);
    assertClose(
      valuesOf(() => bottleneck(held, 'n', tf.tensor2d([S]))),
      expected,
      'y',
    );
  });
});

onBackend('cpu', 'docs/concepts.md: heads for behaviours', () => {
  stated(['s′ = s + s W_b / √D + c_b'], () => {
    const [width, behaviours] = [3, ['view', 'buy']];
    const heads = new BehaviourHeads({ behaviours }, width, true);
    const made: ParameterInits = new Map();
    heads.init(made, new Random(1));
    const inits = withNoise(made, 3);
    const [weight, offset] = ['weight', 'offset'].map((name) => inits.get(`behaviourHeads.${name}`)!);
    const held = params(
      Object.fromEntries([...inits].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])])),
    );
    const s = [0.3, -1.2, 2.1];
    const asked = [0, 1, 2];
    const found = valuesOf(() =>
      heads.apply(held, tf.tensor3d([[s, s, s]]), {
        ...{ users: tf.tensor1d([1], 'int32'), items: tf.zeros([1, 3]), behaviours: tf.zeros([1, 3]) },
        asked: tf.tensor2d([asked], [1, 3], 'int32'),
      }),
    );
    const at = (b: number, from: number, to: number) => weight!.data[(b * width + from) * width + to]!;
    const answers = asked.flatMap((b) =>
      s.map((own, to) =>
        b === 0
          ? own
          : own +
            sum(s.map((v, from) => v * at(b, from, to))) / Math.sqrt(width) +
            offset!.data[b * width + to]!,
      ),
    );
    assertClose(found, answers, 'states', 1e-6);
    for (const { data } of made.values()) assert.ok(data.every((value) => value === 0));
  });
});

onBackend('cpu', 'docs/concepts.md: experts for behaviours', () => {
  stated(['g = softmax(s G_b / √D)', 'f_e = ReLU(s U_e / √D + h_e) V_e / √H', 's′ = s + Σ_e g_e f_e'], () => {
    const [width, experts, expertWidth] = [3, 2, 4];
    const heads = new BehaviourHeads({ behaviours: ['view', 'buy'] }, width, { experts, expertWidth });
    const made: ParameterInits = new Map();
    heads.init(made, new Random(1));
    const inits = withNoise(made, 3);
    const held = params(
      Object.fromEntries([...inits].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])])),
    );
    const s = [0.3, -1.2, 2.1];
    const found = valuesOf(() =>
      heads.apply(held, tf.tensor3d([[s, s, s]]), {
        ...{ users: tf.tensor1d([1], 'int32'), items: tf.zeros([1, 3]), behaviours: tf.zeros([1, 3]) },
        asked: tf.tensor2d([[0, 1, 2]], [1, 3], 'int32'),
      }),
    );
    /** A number of a parameter [behaviours + 1, rows, columns], or of one that all share [rows, columns], as behaviour 0. */
    const at = (name: string, b: number, row: number, column: number): number => {
      const whose = name === 'gate' ? '' : b === 0 ? 'shared.' : 'own.';
      const { data, shape } = inits.get(`behaviourHeads.experts.${whose}${name}`)!;
      const [rows, columns] = [shape.at(-2) ?? 1, shape.at(-1)!];
      return data[((whose === 'shared.' ? 0 : b * rows) + row) * columns + column]!;
    };
    const into = (name: string, b: number, column: number): number =>
      sum(s.map((v, row) => v * at(name, b, row, column))) / Math.sqrt(width);
    const answer = (b: number): number[] => {
      const logits = Array.from({ length: 2 * experts }, (_, e) => into('gate', b, e));
      const total = sum(logits.map(Math.exp));
      return s.map((own, to) => {
        const moves = logits.map((logit, e) => {
          const [of, first] = e < experts ? [0, e * expertWidth] : [b, (e - experts) * expertWidth];
          const units = Array.from({ length: expertWidth }, (_, h) =>
            Math.max(0, into('in', of, first + h) + at('bias', of, 0, first + h)),
          );
          const f = sum(units.map((unit, h) => unit * at('out', of, first + h, to)));
          return (Math.exp(logit) / total) * (f / Math.sqrt(expertWidth));
        });
        return own + sum(moves);
      });
    };
    assertClose(found, [...s, ...answer(1), ...answer(2)], 'states', 1e-5);
  });
});

onBackend('cpu', 'docs/concepts.md: normalisation', () => {
  const gain = [1, 0.5, -2, 1.5, 0.1];
  const bias = [0, 1, -1, 0.3, 0.2];
  const upstream = [0.7, -0.2, 1.1, 0.4, -0.9];
  const held = (): Params => params({ 'n.gain': tf.tensor1d(gain), 'n.bias': tf.tensor1d(bias) });

  stated(
    [
      'x̂ = (x − μ) / √(σ² + 10⁻⁶)        y = γ ⊙ x̂ + β',
      '∂L/∂x = (g − mean(g) − x̂ ⊙ mean(g ⊙ x̂)) / √(σ² + 10⁻⁶),   g = γ ⊙ ∂L/∂y',
    ],
    () => {
      const parts = (x: readonly number[]) => {
        const centred = x.map((v) => v - mean(x));
        const deviation = Math.sqrt(mean(centred.map((v) => v * v)) + 1e-6);
        return { normed: centred.map((v) => v / deviation), deviation };
      };
      const { normed, deviation } = parts(S);
      const g = gain.map((v, i) => v * upstream[i]!);
      const along = mean(g.map((v, i) => v * normed[i]!));
      const value = (x: readonly number[]): number =>
        dot(
          upstream,
          parts(x).normed.map((v, i) => gain[i]! * v + bias[i]!),
        );
      agrees(
        (x) => tf.mul(NORMS.layer.apply(held(), 'n', x), tf.tensor2d([upstream])),
        S,
        value,
        g.map((v, i) => (v - mean(g) - normed[i]! * along) / deviation),
      );
    },
  );

  stated(['y = γ ⊙ x / √(mean(x²) + 10⁻⁶)'], () => {
    const size = Math.sqrt(mean(S.map((v) => v * v)) + 1e-6);
    const found = valuesOf(() => NORMS.rms.apply(held(), 'n', tf.tensor2d([S])));
    assertClose(
      found,
      S.map((v, i) => (gain[i]! * v) / size),
      'rms',
    );
  });
});

onBackend('cpu', 'docs/concepts.md: feed-forward, residual, similarity', () => {
  /** x W for x of width 2. */
  const times = (x: readonly number[], w: readonly (readonly number[])[]): number[] =>
    w[0]!.map((_, c) => sum(x.map((v, r) => v * w[r]![c]!)));
  const x = [0.8, -1.1];
  const [W1, W2, W3] = [
    [
      [0.5, -1, 2],
      [0.3, 0.7, -0.2],
    ],
    [
      [1, -1],
      [0.5, 2],
      [-0.4, 0.1],
    ],
    [
      [-0.6, 0.2, 1],
      [1.5, -0.3, 0.4],
    ],
  ] as const;
  const [b1, b2] = [
    [0.1, -0.2, 0.3],
    [0.05, -0.5],
  ];
  const apply = (kind: 'relu' | 'gelu' | 'swiglu'): Float32Array =>
    valuesOf(() => {
      const first = tf.tensor2d(W1.map((row) => [...row]));
      const third = tf.tensor2d(W3.map((row) => [...row]));
      const held = params({
        'f.in': kind === 'swiglu' ? third : first,
        'f.gate': first,
        'f.inBias': tf.tensor1d(b1),
        'f.out': tf.tensor2d(W2.map((row) => [...row])),
        'f.outBias': tf.tensor1d(b2),
      });
      return FEED_FORWARDS[kind].apply(held, 'f', tf.tensor3d([[x]]), 0, INFERENCE);
    });
  const affine = times(x, W1).map((v, i) => v + b1[i]!);
  const out = (inner: readonly number[]): number[] => times(inner, W2).map((v, i) => v + b2[i]!);
  /** The normal distribution by its integral from 0, with Simpson's rule. */
  const normal = (z: number): number => {
    const n = 200;
    const density = (t: number): number => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
    const terms = Array.from({ length: n + 1 }, (_, k) => {
      const weight = k === 0 || k === n ? 1 : k % 2 === 1 ? 4 : 2;
      return weight * density((z * k) / n);
    });
    return 0.5 + ((z / n) * sum(terms)) / 3;
  };

  stated(['relu      relu(x W₁ + b₁) W₂ + b₂'], () => {
    assertClose(apply('relu'), out(affine.map((v) => Math.max(0, v))), 'relu');
  });

  stated(['gelu      gelu(x W₁ + b₁) W₂ + b₂,   gelu(z) = z Φ(z)'], () => {
    assertClose(apply('gelu'), out(affine.map((v) => v * normal(v))), 'gelu');
  });

  stated(['swiglu    (silu(x W₁) ⊙ x W₃) W₂'], () => {
    const other = times(x, W3);
    const inner = times(x, W1).map((v, i) => silu(v) * other[i]!);
    assertClose(apply('swiglu'), times(inner, W2), 'swiglu');
  });

  stated(['x ← x + σ(x W + b) ⊙ found'], () => {
    const W = [
      [0.4, -1],
      [2, 0.5],
    ];
    const b = [0.3, -0.1];
    const found = [5, -7];
    const gate = times(x, W).map((v, i) => sigmoid(v + b[i]!));
    const joined = valuesOf(() =>
      RESIDUALS.gated.apply(
        params({ 'r.gate': tf.tensor2d(W), 'r.bias': tf.tensor1d(b) }),
        'r',
        tf.tensor3d([[x]]),
        tf.tensor3d([[found]]),
      ),
    );
    assertClose(
      joined,
      x.map((v, i) => v + gate[i]! * found[i]!),
      'gated',
    );
  });

  stated(
    ['s_j = h · e_j / (‖h‖ ‖e_j‖ τ)', 'states have the length 1 / τ and item vectors the length 1'],
    () => {
      const e = [2, -0.4, 0.5, 1, 3];
      const tau = 0.05;
      const { state, item } = SIMILARITIES.cosine;
      const [h, unit] = [
        valuesOf(() => state(tf.tensor1d(S), tau)),
        valuesOf(() => item(tf.tensor1d(e))),
      ].map((v) => [...v]);
      assertClose([dot(h!, unit!)], [dot(S, e) / (length(S) * length(e) * tau)], 'score', 1e-4);
      assertClose([length(h!), length(unit!)], [1 / tau, 1], 'lengths', 1e-4);
    },
  );

  stated(['Dropout keeps a value with probability 1 − r and then divides it by 1 − r'], () => {
    const mask = [...dropoutMask(20_000, 0.25, 7)];
    assert.deepEqual([...new Set(mask)].sort(), [0, Math.fround(1 / 0.75)]);
    assertClose([mean(mask)], [1], 'mean', 0.02, 0);
  });
});

onBackend('cpu', 'docs/concepts.md: the recurrent unit', () => {
  stated(
    [
      'r = σ(x W_r + b_r + h U_r)        z = σ(x W_z + b_z + h U_z)',
      'n = tanh(x W_n + b_n + r ⊙ h U_n)        h ← h + z ⊙ (n − h)',
    ],
    () => {
      // What x W + b says at each of two steps, and U: for each gate two values.
      const says = [
        { r: [0.3, -0.5], z: [1.2, 0.1], n: [-0.4, 0.9] },
        { r: [-1, 0.7], z: [0, -0.6], n: [2, 0.2] },
      ];
      const u = {
        r: [
          [0.5, -1],
          [0.2, 0.4],
        ],
        z: [
          [1.5, 0.3],
          [-0.7, 0.6],
        ],
        n: [
          [-0.2, 0.8],
          [0.9, -1.1],
        ],
      };
      const parts = ['r', 'z', 'n'] as const;
      let h = [0.4, -0.3];
      const expected = says.flatMap((a) => {
        const b = (part: 'r' | 'z' | 'n', c: number): number => sum(h.map((v, i) => v * u[part][i]![c]!));
        h = h.map((v, c) => {
          const [r, z] = [sigmoid(a.r[c]! + b('r', c)), sigmoid(a.z[c]! + b('z', c))];
          return v + z * (Math.tanh(a.n[c]! + r * b('n', c)) - v);
        });
        return h;
      });
      const found = valuesOf(() => {
        const inputs = tf.tensor3d([says.map((a) => parts.flatMap((part) => a[part]))]);
        const recurrent = tf.tensor2d([0, 1].map((i) => parts.flatMap((part) => u[part][i]!)));
        return gru(inputs, recurrent, tf.tensor2d([[0.4, -0.3]]));
      });
      assertClose(found, expected, 'states');
    },
  );
});

onBackend('cpu', 'docs/concepts.md: the two towers', () => {
  stated(
    [
      'x = Σ_t a_t e_{i_t} / Σ_t a_t + attributes',
      'h = relu(x W₁ + b₁) W₂ + b₂        o_j = relu(e_j V₁ + c₁) V₂ + c₂        s_j = h · o_j / (‖h‖ ‖o_j‖ τ)',
    ],
    () => {
      const tau = 0.2;
      const settings = { name: 'two-tower', width: 3, hidden: [4], length: 5, temperature: tau };
      const model = createModel(modelSchema.parse(settings), catalogueOf(2, 6));
      // Biases are 0 without it.
      const inits = withNoise(model.init(new Random(8)), 2, 0.3);
      const rows = (name: string): number[][] => {
        const { shape, data } = inits.get(name)!;
        const width = shape.at(-1)!;
        return Array.from({ length: data.length / width }, (_, i) => [
          ...data.subarray(i * width, (i + 1) * width),
        ]);
      };
      const affine = (x: readonly number[], name: string): number[] => {
        const w = rows(`${name}.weight`);
        return rows(`${name}.bias`)[0]!.map((b, c) => b + sum(x.map((v, i) => v * w[i]![c]!)));
      };
      const through = (x: readonly number[], name: string): number[] =>
        affine(
          affine(x, `${name}.0`).map((v) => Math.max(0, v)),
          `${name}.1`,
        );
      const e = rows('item.embedding');
      const history = [2, 5, 3];
      const a = [3, 2, 1].map((lag) => Math.exp(rows('recency')[lag]![0]!));
      const x = [0, 1, 2].map((d) => sum(history.map((item, t) => a[t]! * e[item]![d]!)) / sum(a));
      const h = through(x, 'userTower');
      const expected = [1, 2, 3, 4, 5, 6].map((j) => {
        const o = through(e[j]!, 'itemTower');
        return dot(h, o) / (length(h) * length(o) * tau);
      });
      const store = new ParameterStore(inits, model.constants());
      const found = valuesOf(() => {
        const items = tf.tensor2d([history], [1, 3], 'int32');
        const batch = { users: tf.tensor1d([1], 'int32'), items, behaviours: tf.onesLike(items) };
        const { states } = model.encode(store.reader(), batch, INFERENCE);
        const newest = tf.reshape(tf.slice(states, [0, 2, 0], [1, 1, 3]), [1, 3]) as tf.Tensor2D;
        return model.logits(store.reader(), newest, tf.range(1, 7, 1, 'int32'), INFERENCE);
      });
      store.dispose();
      assertClose(found, expected, 'scores', 1e-4, 1e-4);
    },
  );
});
