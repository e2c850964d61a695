import type { z } from 'zod';
import type { linear } from '../models/linear.js';
import { type Anatomy, ENTITY } from './parts.js';

export function linearAnatomy(config: z.output<typeof linear.schema>): Anatomy {
  return {
    axes: (name) => (ENTITY.test(name) ? [undefined, 'width'] : []),
    parts: {
      width: {
        dimensions: new Map([['width', config.width]]),
        shrunk: ([left]) => ({ ...config, width: left! }),
      },
    },
  };
}
