import { createHmac } from 'node:crypto';
import { RecsysError } from '../../errors.js';
import { hint } from '../../nearest.js';
import type { VariantOf } from '../../protocol/impressions.js';
import type { RecommendRequest } from '../../protocol/recommendations.js';
import type { ExperimentConfig, VariantConfig } from './schema.js';

/** The first 48 bits of a digest are a whole number that a double holds. */
const BYTES = 6;

/** Deals users to variants: which one is a function of the experiment's name and the user's id alone. */
export class Experiment {
  private readonly total: number;

  /** @throws RecsysError CONFIG_INVALID where a variant has an adapter that is not served */
  constructor(
    private readonly config: ExperimentConfig,
    adapters: readonly string[],
  ) {
    for (const [index, { adapter }] of config.variants.entries()) {
      if (adapter === undefined || adapters.includes(adapter)) continue;
      throw new RecsysError(
        'CONFIG_INVALID',
        `experiment.variants.${index}.adapter: “${adapter}” is none of \`adapters\`${hint(adapter, adapters)}`,
        { remedy: 'Name its folder under `adapters`.' },
      );
    }
    this.total = config.variants.reduce((sum, { share }) => sum + share, 0);
  }

  /** The variant of a user: HMAC-SHA-256 of the id, keyed by the experiment's name, as a point on the shares laid end to end. */
  variant(user: string): VariantConfig {
    const { name, variants } = this.config;
    const digest = createHmac('sha256', name).update(user).digest();
    let left = (digest.readUIntBE(0, BYTES) / 2 ** (8 * BYTES)) * this.total;
    for (const variant of variants) {
      left -= variant.share;
      if (left < 0) return variant;
    }
    return variants.at(-1)!;
  }

  /** What a list is made by: undefined for one without a user, or whose request says how it is to be scored. */
  of({ user, adapter, state }: RecommendRequest): VariantConfig | undefined {
    if (user === undefined || adapter !== undefined || state !== undefined) return undefined;
    return this.variant(user);
  }

  /** How a list's record names its variant. */
  told({ name, share }: VariantConfig): VariantOf {
    return { experiment: this.config.name, name, share: share / this.total };
  }
}
