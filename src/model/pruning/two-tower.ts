import type { z } from 'zod';
import type { twoTower } from '../models/two-tower.js';
import { type Anatomy, ENTITY } from './parts.js';

const TOWERS = ['userTower', 'itemTower'] as const;

/** Both towers shrink alike, each by its own weights; what they give is judged as one, and so is what they read. */
export function twoTowerAnatomy(config: z.output<typeof twoTower.schema>): Anatomy {
  const { hidden, width } = config;
  const layer = (tower: string, at: number): string => {
    if (at < 0) return 'input';
    return at === hidden.length ? 'output' : `${tower}.${at}`;
  };
  return {
    axes(name) {
      if (ENTITY.test(name)) return [undefined, 'input'];
      const [, tower, at, kind] = /^(userTower|itemTower)\.(\d+)\.(\w+)$/.exec(name) ?? [];
      if (tower === undefined) return [];
      const own = layer(tower, Number(at));
      return kind === 'bias' ? [own] : [layer(tower, Number(at) - 1), own];
    },
    parts: {
      channels: {
        dimensions: new Map(TOWERS.flatMap((tower) => hidden.map((size, i) => [layer(tower, i), size]))),
        shrunk: (left) => ({ ...config, hidden: left.slice(0, hidden.length) }),
      },
      width: {
        dimensions: new Map([
          ['input', width],
          ['output', width],
        ]),
        shrunk: ([left]) => ({ ...config, width: left! }),
      },
    },
  };
}
