import { layerNorm } from '../../../compute/ops/layer-norm.js';
import { constant } from '../../initial.js';
import type { Norm } from './norm.js';

/** Layer normalisation (Ba, Kiros & Hinton 2016): to mean 0 and variance 1, then gain and bias. */
export const layer: Norm = {
  init(into, name, width) {
    into.set(`${name}.gain`, constant([width], 1));
    into.set(`${name}.bias`, constant([width], 0));
  },
  apply: (params, name, x) => layerNorm(x, params.get(`${name}.gain`), params.get(`${name}.bias`)),
};
