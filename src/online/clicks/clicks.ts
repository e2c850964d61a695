import type { Counter, Registry } from 'prom-client';
import type { Catalogue, StageContext } from '../../types.js';
import type { LearnExample } from '../learner.js';
import type { OpenCatalogue } from '../open-catalogue.js';
import { ClickFeatures } from './features.js';
import { checkBehaviours, labelOf } from './labels.js';
import { Logistic, type LogisticState, sigmoid } from './logistic.js';
import { clickMetrics } from './metrics.js';
import { ClickQuality } from './quality.js';
import type { ClicksConfig } from './schema.js';

export interface ClicksOptions {
  readonly config: ClicksConfig;
  readonly catalogue: Catalogue;
  readonly items: Pick<OpenCatalogue, 'get'>;
  /** Events over which quality is averaged. */
  readonly window: number;
  readonly registry: Registry;
  readonly log: StageContext['log'];
}

/** How likely users are to click items, beside the model that ranks: learned from events with a label, one by one, in the journal's order. */
export class Clicks {
  readonly quality: ClickQuality;
  private readonly features: ClickFeatures;
  private readonly model: Logistic;
  private readonly learned: Counter<'label'>;

  /** @throws RecsysError CONFIG_INVALID where a behaviour or attribute is not the catalogue's */
  constructor(private readonly options: ClicksOptions) {
    const { config, catalogue, window, registry } = options;
    checkBehaviours(config, catalogue.behaviours);
    this.features = new ClickFeatures(catalogue, config.crosses);
    this.model = new Logistic(config);
    this.quality = new ClickQuality(window);
    this.learned = clickMetrics(registry, this.quality);
  }

  /** Those that it learns from. */
  labelled(events: readonly LearnExample[]): LearnExample[] {
    return events.filter(({ event }) => labelOf(event, this.options.config) !== undefined);
  }

  /**
   * @param events of `labelled`
   * @param measure whether quality is measured: a replay has been before
   */
  learn(events: readonly LearnExample[], measure: boolean): void {
    let clicks = 0;
    for (const { event, item } of events) {
      const label = labelOf(event, this.options.config)!;
      const logit = this.model.learn(this.features.of(event.user, item), label);
      clicks += label;
      if (measure) this.quality.record(logit, label);
    }
    this.learned.inc({ label: 1 }, clicks);
    this.learned.inc({ label: 0 }, events.length - clicks);
  }

  /** Probability of a click for each item of a user; undefined for one that is not in the catalogue. */
  probabilities(user: string, items: readonly string[]): (number | undefined)[] {
    return items.map((item) => {
      const row = this.options.items.get(item);
      return row === undefined ? undefined : sigmoid(this.model.logit(this.features.of(user, row)));
    });
  }

  snapshot(): LogisticState {
    return this.model.snapshot();
  }

  /** Becomes what `snapshot` gave; begins afresh without, or where that was of another number of weights. */
  load(state: LogisticState | undefined): void {
    const { config, log } = this.options;
    const same = state?.bits === config.bits;
    if (state && !same)
      log('warn', `clicks.bits: ${state.bits} → ${config.bits}: the click model begins afresh`);
    this.model.load(same ? state : undefined);
  }
}

/** The click model of a service; undefined where there is none. */
export function clicksOf(
  of: {
    readonly clicks: ClicksConfig;
    readonly catalogue: Catalogue;
    readonly quality: { readonly window: number };
    readonly metrics: { readonly registry: Registry };
    readonly context: Pick<StageContext, 'log'>;
  },
  items: OpenCatalogue,
): Clicks | undefined {
  const { clicks: config, catalogue, quality, metrics, context } = of;
  if (!config.enabled) return undefined;
  const { window } = quality;
  return new Clicks({ config, catalogue, items, window, registry: metrics.registry, log: context.log });
}
