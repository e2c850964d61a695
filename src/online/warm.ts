import { type Dataset, SPLIT } from '../data/dataset.js';
import { withoutTimes } from '../model/times.js';
import type { Catalogue } from '../types.js';
import type { UserHistories } from './users.js';

/** Up to which part of its split the rows of a dataset are known when serving begins. */
export const DATA_PARTS = ['train', 'validation', 'test'] as const;
export type DataPart = (typeof DATA_PARTS)[number];

/** Names what histories began with: a snapshot stands for one of them. Null for none. */
export function warmedBy(data: Dataset | undefined, through: DataPart): string | null {
  return data ? `${data.manifest.fingerprint} through ${through}` : null;
}

/**
 * Histories of a prepared dataset, up to a part of its split: what is known of its users when serving begins. Items and
 * behaviours are matched by name; those the model does not know are left out. Throws DATA_EMPTY for a
 * dataset without the times that histories are kept with.
 */
export function warmHistories(
  histories: UserHistories,
  data: Dataset,
  catalogue: Catalogue,
  through: DataPart = 'test',
): void {
  const itemIndex = new Map(catalogue.items.map((id, i) => [id, i]));
  const items = data.catalogue.items.map((id) => itemIndex.get(id) ?? 0);
  const behaviours = data.catalogue.behaviours.map((name) => catalogue.behaviours.indexOf(name));
  const { length, user, item, behaviour, time, value, split } = data.interactions;
  if (histories.keeps.times && data.manifest.time !== 'epoch') throw withoutTimes(data.path);
  for (let row = 0; row < length; row++) {
    const index = items[item[row]!] ?? 0;
    const kind = behaviours[behaviour[row]!] ?? -1;
    if (index > 0 && kind >= 0 && split[row]! <= SPLIT[through])
      histories.append(data.catalogue.users[user[row]!]!, index, kind, time[row]!, value[row]!);
  }
}
