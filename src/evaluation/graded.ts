import { discount } from './metrics.js';

/**
 * NDCG@k of a short list of rated items with gain 2^value − 1 (Burges et al. 2005), or, `linear`, the value itself (Järvelin &
 * Kekäläinen 2002): the items by predicted value against the items by value. Equal predictions share their places: each gains their mean. 1 where every gain is 0.
 * A value below 0 gains nothing.
 *
 * @param predicted and `values`: one entry an item
 */
export function gradedNdcg(
  predicted: ArrayLike<number>,
  values: ArrayLike<number>,
  k: number,
  kind: 'exponential' | 'linear' = 'exponential',
): number {
  const items = Array.from(values, (_, i) => i);
  // Gains are shares of 2^most, or those of large values (play counts) would be infinite.
  const most = items.reduce((m, i) => Math.max(m, values[i]!), 0);
  const gain = (i: number): number =>
    Math.max(0, kind === 'linear' ? values[i]! : 2 ** (values[i]! - most) - 2 ** -most);
  const ideal = items.map(gain).sort((a, b) => b - a);
  let best = 0;
  for (let place = 0; place < Math.min(k, ideal.length); place++) best += ideal[place]! * discount(place);
  if (best === 0) return 1;
  items.sort((a, b) => predicted[b]! - predicted[a]!);
  let sum = 0;
  for (let from = 0; from < Math.min(k, items.length); ) {
    let to = from + 1;
    while (to < items.length && predicted[items[to]!] === predicted[items[from]!]) to++;
    const mean = items.slice(from, to).reduce((total, i) => total + gain(i), 0) / (to - from);
    for (let place = from; place < Math.min(k, to); place++) sum += mean * discount(place);
    from = to;
  }
  return sum / best;
}
