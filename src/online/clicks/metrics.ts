import { Counter, Gauge, type Registry } from 'prom-client';
import type { ClickFigures, ClickQuality } from './quality.js';

/** What `/metrics` shows of the click model. */
export function clickMetrics(registry: Registry, quality: ClickQuality): Counter<'label'> {
  const registers = [registry];
  const gauge = (name: string, help: string, read: (figures: ClickFigures) => number): void => {
    new Gauge({
      name: `recsys_clicks_${name}`,
      help: `${help}, over the last ${quality.window} events with a label, each foretold before it was learned`,
      registers,
      collect() {
        this.set(read(quality.figures()));
      },
    });
  };
  gauge('log_loss', 'Log-loss of the click model', ({ logLoss }) => logLoss);
  gauge('calibration', 'Clicks foretold by clicks that came', ({ calibration }) => calibration);
  gauge('rate', 'Share of clicks', ({ rate }) => rate);
  return new Counter({
    name: 'recsys_clicks_learned_total',
    help: 'Events that the click model learned, by label: 1 is a click',
    labelNames: ['label'] as const,
    registers,
  });
}
