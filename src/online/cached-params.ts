import * as tf from '@tensorflow/tfjs-core';
import { embeddingLookup, type ParameterStore, type Params } from '../compute/parameters.js';

/**
 * Parameters for scoring between two updates: tables that the store holds by rows are uploaded once, not on each read.
 * Call `refresh` after every update.
 */
export class CachedParams implements Params {
  private readonly uploaded = new Map<string, tf.Tensor>();

  constructor(private readonly store: ParameterStore) {}

  get(name: string): tf.Tensor {
    if (!this.store.tables.has(name)) return this.store.whole(name);
    let held = this.uploaded.get(name);
    if (!held) {
      // Reads happen inside a tidy, which would free the upload with everything else.
      held = tf.keep(this.store.whole(name));
      this.uploaded.set(name, held);
    }
    return held;
  }

  /** Everything that learning changes, as it is now. */
  changing(): Record<string, tf.Tensor> {
    const { tables, variables } = this.store;
    return Object.fromEntries([...tables.keys(), ...variables.keys()].map((name) => [name, this.get(name)]));
  }

  lookup(name: string, ids: tf.Tensor): tf.Tensor {
    return embeddingLookup(this.get(name), ids);
  }

  /** Forgets the uploads: the tables have changed. */
  refresh(): void {
    for (const tensor of this.uploaded.values()) tensor.dispose();
    this.uploaded.clear();
  }
}
