import { RecsysError } from '../errors.js';
import type { ModelConfig } from './registry.js';

const NAME = /^blocks\.\d+\.bottleneck[12]\./;

export const isBottleneck = (name: string): boolean => NAME.test(name);

/**
 * A transformer's config with bottlenecks of this width in its blocks.
 * @throws CONFIG_INVALID for another model, or one that has some
 */
export function withBottlenecks(config: ModelConfig, rank: number): ModelConfig {
  if (config.name !== 'transformer')
    throw new RecsysError(
      'CONFIG_INVALID',
      `adapter.kind: bottlenecks are put into the blocks of a transformer; the model ${config.name} has none`,
      { remedy: 'Set `adapter.kind` to lora or bias.' },
    );
  if (config.bottleneck !== undefined)
    throw new RecsysError('CONFIG_INVALID', 'adapter.kind: the checkpoint has bottlenecks already', {
      remedy:
        'Take the checkpoint that they were trained on, or fine-tune this one without `adapter`, or with lora or bias.',
    });
  return { ...config, bottleneck: rank };
}
