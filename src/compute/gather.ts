import * as tf from '@tensorflow/tfjs-core';
import { nativeBackend } from './graph/binding.js';

/**
 * Rows of x [V, …] at int32 ids [n] → [n, …]; no gradient (embeddingLookup adds one). tfjs's native gather reads the ids back
 * to check them, which costs a copy and cannot be recorded: here the op is called as it is.
 */
export function gatherRows(x: tf.Tensor, ids: tf.Tensor): tf.Tensor {
  const native = nativeBackend();
  if (!native) return tf.gather(x, ids);
  const { binding } = native;
  const attributes = [
    { name: 'batch_dims', type: binding.TF_ATTR_INT, value: 0 },
    {
      name: 'Tparams',
      type: binding.TF_ATTR_TYPE,
      value: x.dtype === 'float32' ? binding.TF_FLOAT : binding.TF_INT32,
    },
    { name: 'Tindices', type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
    { name: 'Taxis', type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
  ];
  const axis = tf.scalar(0, 'int32');
  const rows = native.executeSingleOutput('GatherV2', attributes, [x, ids, axis]);
  axis.dispose();
  return rows;
}
