import { linear } from '../../../compute/ops/linear.js';
import { twoLayer } from './two-layer.js';

/** relu(x W₁ + b₁) W₂ + b₂ (Vaswani et al. 2017). */
export const relu = twoLayer((x, w, bias) => linear(x, w, bias, 'relu'));
