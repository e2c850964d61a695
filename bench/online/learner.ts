import { readFileSync } from 'node:fs';
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

/** The same from the text of the stream's file, as Vowpal Wabbit's driver has it: reading and parsing count. */
export function learnFile(path: string, { catalogue }: ClickStream): Result {
  const config = clicksSchema.parse({ enabled: true, minimumValue: 4 });
  const features = new ClickFeatures(catalogue, config.crosses);
  const model = new Logistic(config);
  const rows = new Map(catalogue.items.map((id, row) => [id, row]));
  let [loss, events] = [0, 0];
  const start = performance.now();
  const text = readFileSync(path, 'latin1');
  for (let from = 0; from < text.length; events++) {
    const end = text.indexOf('\n', from);
    const label = text[from] === '1' ? 1 : 0;
    const user = text.indexOf('|u u', from) + 4;
    const item = text.indexOf(' |i i', user);
    const genres = text.indexOf(' |g', item);
    const row = rows.get(text.slice(item + 5, genres))!;
    loss += logLoss(model.learn(features.of(text.slice(user, item), row), label), label);
    from = end + 1;
  }
  const seconds = (performance.now() - start) / 1000;
  return { who: 'recsys, learner from the file', events, seconds, logLoss: loss / events };
}
