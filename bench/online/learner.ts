import { ClickFeatures } from '../../src/online/clicks/features.js';
import { Logistic } from '../../src/online/clicks/logistic.js';
import { logLoss } from '../../src/online/clicks/quality.js';
import { clicksSchema } from '../../src/online/clicks/schema.js';
import type { ClickStream } from './stream.js';

/** How one contender did on a stream. */
export interface Result {
  readonly who: string;
  readonly events: number;
  readonly seconds: number;
  /** Mean −ln p(label), each event foretold before it is learned. */
  readonly logLoss: number;
}

/** The click model alone, on one core: from ids to features, forecast, loss and step. */
export function learnAlone(stream: ClickStream, settings: object = {}): Result {
  const { users, items, labels, catalogue } = stream;
  const config = clicksSchema.parse({ enabled: true, minimumValue: 4, ...settings });
  const features = new ClickFeatures(catalogue, config.crosses);
  const model = new Logistic(config);
  let loss = 0;
  const start = performance.now();
  for (let n = 0; n < users.length; n++) {
    const label = labels[n] as 0 | 1;
    loss += logLoss(model.learn(features.of(users[n]!, items[n]!), label), label);
  }
  const seconds = (performance.now() - start) / 1000;
  return { who: 'recsys, learner alone', events: users.length, seconds, logLoss: loss / users.length };
}
