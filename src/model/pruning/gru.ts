import type { z } from 'zod';
import type { gru } from '../models/gru.js';
import { type Anatomy, ENTITY, headAxes, type Part } from './parts.js';

/**
 * States with a projection have channels of their own. Without one, the last layer's states are multiplied with item vectors, whose
 * width is theirs, and the layers below shrink as much.
 */
export function gruAnatomy(config: z.output<typeof gru.schema>): Anatomy {
  const { width, depth } = config;
  const projected = config.hidden !== undefined;
  const states = (layer: number): string =>
    !projected && layer === depth - 1 ? 'width' : `layers.${layer}.states`;
  const sizes = (size: number, layers: number): Part['dimensions'] =>
    new Map(Array.from({ length: layers }, (_, layer) => [states(layer), size]));
  return {
    axes(name) {
      if (ENTITY.test(name) || name === 'behaviour.embedding') return [undefined, 'width'];
      const heads = headAxes(name);
      if (heads) return heads;
      if (name === 'projection.weight') return [states(depth - 1), 'width'];
      if (name === 'projection.bias') return ['width'];
      const [, at, kind] = /^layers\.(\d+)\.(\w+)/.exec(name) ?? [];
      if (at === undefined) return [];
      const own = states(Number(at));
      if (kind === 'bias') return [own];
      if (kind === 'start') return [undefined, own];
      return [kind === 'recurrent' ? own : at === '0' ? 'width' : states(Number(at) - 1), own];
    },
    parts: {
      ...(projected
        ? {
            channels: {
              dimensions: sizes(config.hidden!, depth),
              shrunk: ([left]: readonly number[]) => ({ ...config, hidden: left! }),
            },
          }
        : {}),
      width: {
        dimensions: projected ? new Map([['width', width]]) : sizes(width, depth),
        shrunk: ([left]) => ({ ...config, width: left! }),
      },
    },
  };
}
