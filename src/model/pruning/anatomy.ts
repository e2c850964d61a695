import type { ModelConfig } from '../registry.js';
import { gruAnatomy } from './gru.js';
import { linearAnatomy } from './linear.js';
import { mlpAnatomy } from './mlp.js';
import { type Anatomy, PART_NAMES, type PartName } from './parts.js';
import { transformerAnatomy } from './transformer.js';
import { twoTowerAnatomy } from './two-tower.js';

/** What can be removed from a model; a model that says nothing about itself has no parts. */
export function anatomyOf(config: ModelConfig): Anatomy {
  switch (config.name) {
    case 'transformer':
      return transformerAnatomy(config);
    case 'gru':
      return gruAnatomy(config);
    case 'two-tower':
      return twoTowerAnatomy(config);
    case 'mlp':
      return mlpAnatomy(config);
    case 'linear':
      return linearAnatomy(config);
    default:
      return { axes: () => [], parts: {} };
  }
}

/** The parts a model has. */
export function partsOf({ parts, layers }: Anatomy): PartName[] {
  return PART_NAMES.filter((name) => (name === 'layers' ? layers !== undefined : parts[name] !== undefined));
}
