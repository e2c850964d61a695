import { type Dataset, SPLIT } from '../data/dataset.js';
import type { TimedEvent } from './log.js';
import type { ReplayConfig } from './schema.js';

/** The rows of a part of a dataset as events, with ids that name dataset and row. */
export function datasetEvents({ interactions, catalogue, manifest }: Dataset, part: ReplayConfig['part']) {
  const events: TimedEvent[] = [];
  for (let row = 0; row < interactions.length; row++) {
    if (part !== 'all' && interactions.split[row] !== SPLIT[part]) continue;
    const value = interactions.value[row]!;
    events.push({
      id: `dataset-${manifest.fingerprint.slice(0, 12)}-${row}`,
      user: catalogue.users[interactions.user[row]!]!,
      item: catalogue.items[interactions.item[row]!]!,
      behaviour: catalogue.behaviours[interactions.behaviour[row]!]!,
      time: interactions.time[row]!,
      ...(Number.isNaN(value) ? {} : { value }),
    });
  }
  return events;
}
