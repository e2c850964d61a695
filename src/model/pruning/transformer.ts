import type { z } from 'zod';
import type { transformer } from '../models/transformer.js';
import { type Anatomy, ENTITY, headAxes, type Layers, type Part } from './parts.js';

type Config = z.output<typeof transformer.schema>;

/** Axes by a parameter's name inside its block; `heads` and `channels` are those of the block. */
const BLOCK: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^attention\.(query|key|value|gate)$/, ['width', 'heads']],
  [/^attention\.output$/, ['heads', 'width']],
  [/^attention\.(relative|time)$/, ['', 'heads']],
  [/^attention\.norm\./, ['heads']],
  [/^feedForward\.(in|gate)$/, ['width', 'channels']],
  [/^feedForward\.inBias$/, ['channels']],
  [/^feedForward\.out$/, ['channels', 'width']],
  [/^residual\d\.gate$/, ['width', 'width']],
  [/^bottleneck\d\.down$/, ['width', '']],
  [/^bottleneck\d\.up$/, ['', 'width']],
  [/^(attention\.bias|bottleneck\d\.upBias|feedForward\.outBias|(norm|residual)\d\.(gain|bias))$/, ['width']],
];

export function transformerAnatomy(config: Config): Anatomy {
  const { width, heads, sharedBlocks, feedForward, feedForwardKind } = config;
  const depth = sharedBlocks ? 1 : config.depth;
  const headWidth = config.headWidth ?? width / heads;
  const channels = Math.max(1, Math.round(width * feedForward));
  const inBlocks = (dimension: string, size: number): Part['dimensions'] =>
    new Map(Array.from({ length: depth }, (_, i) => [`blocks.${i}.${dimension}`, size]));
  return {
    axes(name) {
      const [, block, inside] = /^(blocks\.\d+)\.(.*)$/.exec(name) ?? [];
      if (block === undefined) return outside(name);
      const axes = BLOCK.find(([pattern]) => pattern.test(inside!))?.[1] ?? [];
      return axes.map((axis) => (axis === 'width' || axis === '' ? axis : `${block}.${axis}`));
    },
    parts: {
      heads: {
        dimensions: inBlocks('heads', heads),
        shrunk: ([left]) => ({ ...config, heads: left!, headWidth }),
      },
      ...(feedForwardKind === 'none'
        ? {}
        : {
            channels: {
              dimensions: inBlocks('channels', channels),
              shrunk: ([left]) => ({ ...config, feedForward: left! / width }),
            },
          }),
      width: {
        dimensions: new Map([['width', width]]),
        shrunk: ([left]) => ({ ...config, width: left!, headWidth, feedForward: channels / left! }),
      },
    },
    ...(sharedBlocks ? {} : { layers: layersOf(config) }),
  };
}

function layersOf(config: Config): Layers {
  return {
    count: config.depth,
    prefix: (block) => `blocks.${block}.`,
    outputs: ['attention.output', 'attention.bias', 'feedForward.out', 'feedForward.outBias'],
    shrunk: (left) => ({ ...config, depth: left }),
  };
}

function outside(name: string): readonly (string | undefined)[] {
  if (ENTITY.test(name) || /^(start|mask|value\.weight|(position|behaviour)\.embedding)$/.test(name))
    return [undefined, 'width'];
  return headAxes(name) ?? (name.startsWith('norm.') ? ['width'] : []);
}
