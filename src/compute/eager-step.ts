import * as tf from '@tensorflow/tfjs-core';
import { RecsysError } from '../errors.js';
import type { TensorMap } from '../types.js';
import { graphPass, randomKey, trainingPass } from './dropout.js';
import { nativeBackend } from './graph/binding.js';
import { decays } from './optimizers/optimizer.js';
import { type RowGradient, upload } from './parameters.js';
import { type MergedRows, mergeRows } from './rows.js';
import type { Batch, CompiledStep, StepOptions, StepResult } from './step.js';

/** The step op by op: the reference that a recorded one must equal. */
export class EagerStep implements CompiledStep {
  count = 0;
  readonly anchor = tf.tidy(() => tf.variable(tf.scalar(0), true));
  /** Dense parameters that train, in the order of `names`. */
  readonly trainable: tf.Variable[];
  readonly names: string[];
  readonly slots = new Map<string, tf.Variable[]>();
  readonly tableSlots = new Map<string, Float32Array[]>();

  constructor(private readonly options: StepOptions) {
    const { store, optimizer, frozen } = options;
    this.names = [...store.variables.keys()].filter((n) => !frozen?.(n));
    this.trainable = this.names.map((n) => store.variables.get(n)!);
    this.names.forEach((name, i) => {
      const shape = this.trainable[i]!.shape;
      this.slots.set(
        name,
        optimizer.slots.map((s) => tf.tidy(() => tf.variable(tf.fill(shape, s.fill), false))),
      );
    });
    for (const [name, table] of store.tables) {
      if (frozen?.(name)) continue;
      this.tableSlots.set(
        name,
        optimizer.slots.map((s) => new Float32Array(table.data.length).fill(s.fill)),
      );
    }
  }

  prepare(): number {
    return 0;
  }

  async run(microBatches: readonly Batch[], learningRate: number): Promise<StepResult> {
    this.count++;
    const share = 1 / microBatches.length;
    let dense: (tf.Tensor | undefined)[] = this.names.map(() => undefined);
    const rowGradients: RowGradient[] = [];
    let loss = 0;
    for (const [micro, batch] of microBatches.entries()) {
      const { value, gradients } = this.gradients(batch, micro, rowGradients);
      loss += (await value.data())[0]! * share;
      value.dispose();
      const previous = dense;
      dense = gradients.map((g, i) => {
        if (!g) return previous[i];
        return tf.tidy(() => {
          const scaled = share === 1 ? tf.clone(g) : tf.mul(g, share);
          return previous[i] ? tf.add(previous[i]!, scaled) : scaled;
        });
      });
      tf.dispose(gradients.filter((g) => g !== undefined));
      tf.dispose(previous.filter((g, i) => g !== undefined && g !== dense[i]) as tf.Tensor[]);
    }
    const rows = mergeRows(rowGradients, this.options.store.tables, share);
    const gradientNorm = this.apply(dense, rows, learningRate);
    tf.dispose(dense.filter((g) => g !== undefined));
    return { loss, gradientNorm };
  }

  private gradients(batch: Batch, micro: number, sink: RowGradient[]) {
    const inputs = uploadBatch(batch);
    const signals = this.options.signals?.(inputs) ?? {};
    const { seed } = this.options;
    const random = tf.tensor1d(randomKey(seed, this.count, micro), 'int32');
    const all = { ...inputs, ...signals, random };
    const pass = nativeBackend() ? graphPass(random) : trainingPass(seed, this.count, micro);
    const params = this.options.store.recorder(this.anchor, sink);
    const wanted = this.options.store.tables.size > 0 ? [...this.trainable, this.anchor] : this.trainable;
    const { value, grads } = tf.variableGrads(() => this.options.loss(params, all, pass), wanted);
    tf.dispose(all);
    grads[this.anchor.name]?.dispose();
    return { value, gradients: this.trainable.map((v) => grads[v.name] as tf.Tensor | undefined) };
  }

  private apply(dense: (tf.Tensor | undefined)[], rows: MergedRows[], learningRate: number): number {
    const { optimizer, store, l2 = 0, clipNorm = 0 } = this.options;
    const live = rows.filter((r) => this.tableSlots.has(r.name));
    let square = live.reduce((sum, r) => sum + r.squaredNorm(), 0);
    const present = dense.filter((g) => g !== undefined);
    if (present.length > 0) {
      square += tf.tidy(() => tf.addN(present.map((g) => tf.sum(tf.square(g)))).dataSync()[0]!);
    }
    const rate = optimizer.rate(learningRate, this.count);
    const norm = Math.sqrt(square);
    const scale = clipNorm > 0 && norm > clipNorm ? clipNorm / norm : 1;
    this.names.forEach((name, i) => {
      const gradient = dense[i];
      if (!gradient) return;
      const variable = this.trainable[i]!;
      const slots = this.slots.get(name)!;
      tf.tidy(() => {
        let g: tf.Tensor = scale === 1 ? gradient : tf.mul(gradient, scale);
        if (l2 > 0 && decays(variable.shape)) g = tf.add(g, tf.mul(variable, l2));
        const next = optimizer.dense(variable, g, slots, tf.scalar(rate));
        variable.assign(next.parameter);
        next.slots.forEach((s, k) => {
          slots[k]!.assign(s as tf.Tensor);
        });
      });
    });
    for (const r of live) {
      const table = store.tables.get(r.name)!;
      r.prepare(table.data, scale, decays([table.rows, table.width]) ? l2 : 0);
      const slots = this.tableSlots.get(r.name)!;
      for (let k = 0; k < r.ids.length; k++) {
        optimizer.row(
          table.data,
          r.ids[k]! * table.width,
          r.gradient,
          k * table.width,
          table.width,
          slots,
          rate,
        );
      }
    }
    return norm;
  }

  async evaluate(batch: Batch): Promise<number> {
    const params = this.options.store.reader();
    const value = tf.tidy(() => {
      const inputs = uploadBatch(batch);
      const signals = this.options.signals?.(inputs) ?? {};
      return this.options.loss(params, { ...inputs, ...signals }, { training: false, dropout: (x) => x });
    });
    const loss = (await value.data())[0]!;
    value.dispose();
    return loss;
  }

  async export(): Promise<TensorMap> {
    const out: TensorMap = new Map();
    const slotNames = this.options.optimizer.slots.map((s) => s.name);
    for (const [name, variables] of this.slots) {
      for (const [k, v] of variables.entries()) {
        out.set(`${name}/${slotNames[k]}`, {
          dtype: 'F32',
          shape: v.shape,
          data: Float32Array.from(await v.data()),
        });
      }
    }
    for (const [name, arrays] of this.tableSlots) {
      const { rows, width } = this.options.store.tables.get(name)!;
      arrays.forEach((a, k) => {
        out.set(`${name}/${slotNames[k]}`, {
          dtype: 'F32',
          shape: [rows, width],
          data: Float32Array.from(a),
        });
      });
    }
    out.set('step', { dtype: 'I32', shape: [1], data: Int32Array.of(this.count) });
    return out;
  }

  load(state: TensorMap): void {
    const slotNames = this.options.optimizer.slots.map((s) => s.name);
    const find = (name: string, shape: readonly number[]): Float32Array => {
      const t = state.get(name);
      if (t?.shape.join() === shape.join()) return t.data as Float32Array;
      throw new RecsysError(
        'CHECKPOINT_INCOMPATIBLE',
        `optimizer state "${name}" [${shape}] ${t ? `has shape [${t.shape}]` : 'is missing'}`,
      );
    };
    for (const [name, variables] of this.slots) {
      variables.forEach((v, k) => {
        tf.tidy(() => v.assign(tf.tensor(find(`${name}/${slotNames[k]}`, v.shape), v.shape)));
      });
    }
    for (const [name, arrays] of this.tableSlots) {
      const { rows, width } = this.options.store.tables.get(name)!;
      arrays.forEach((a, k) => {
        a.set(find(`${name}/${slotNames[k]}`, [rows, width]));
      });
    }
    this.count = state.get('step')?.data[0] ?? 0;
  }

  dispose(): void {
    this.anchor.dispose();
    for (const slots of this.slots.values()) tf.dispose(slots);
    this.slots.clear();
  }
}

/** Uploads a batch; the caller disposes it. */
export function uploadBatch(batch: Batch): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(batch).map(([name, t]) => [name, upload(t)]));
}
