import type { z } from 'zod';
import type { mlp } from '../models/mlp.js';
import { type Anatomy, ENTITY } from './parts.js';

export function mlpAnatomy(config: z.output<typeof mlp.schema>): Anatomy {
  const { hidden, width } = config;
  return {
    axes(name) {
      if (ENTITY.test(name)) return [undefined, 'width'];
      if (name === 'value.items') return ['width', 'width'];
      if (name === 'value.mean') return ['width'];
      if (name === 'logit.weight') return [`hidden.${hidden.length - 1}`];
      const [, layer, kind] = /^hidden\.(\d+)\.(\w+)$/.exec(name) ?? [];
      if (layer === undefined) return [];
      const own = `hidden.${layer}`;
      if (kind === 'bias') return [own];
      return kind === 'weight' ? [`hidden.${Number(layer) - 1}`, own] : ['width', own];
    },
    parts: {
      channels: {
        dimensions: new Map(hidden.map((size, i) => [`hidden.${i}`, size])),
        shrunk: (left) => ({ ...config, hidden: [...left] }),
      },
      width: {
        dimensions: new Map([['width', width]]),
        shrunk: ([left]) => ({ ...config, width: left! }),
      },
    },
  };
}
