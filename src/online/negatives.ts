import { Random } from '../random.js';
import type { ItemRows } from './item-rows.js';
import type { LearnExample } from './learner.js';
import { RowSet } from './row-set.js';
import { fillWith, othersShown } from './shown-negatives.js';

const TRIES = 8;
/** Offset of a draw that does not count. */
const MASKED = -1e9;

/** Whether a draw counts, by its offset. */
export const counts = (offset: number): boolean => offset > MASKED / 10;

export interface NegativeOptions {
  readonly proposal: PopularityProposal;
  /** Negatives an example. */
  readonly count: number;
  readonly seed: number;
  /** Rows of items; given where events are learned against what was shown. */
  readonly shown?: ItemRows | undefined;
}

/**
 * Items drawn by popularity: q(i) ∝ (count(i) + 1)^exponent. The exponent of 0.75 (Mikolov et al. 2013) keeps rare items
 * in play. Drawing is a search in the cumulative distribution, from where a table of as many equal parts says to begin.
 */
export class PopularityProposal {
  private readonly cumulative: Float64Array;
  /** The first item that reaches into each equal part of the distribution. */
  private readonly guide: Int32Array;
  /** Parts for each unit of the distribution. */
  private readonly density: number;
  /** log q of each item, and among how many items that is. */
  private readonly logs: Float64Array;
  private readonly among: Int32Array;
  /** What is not to be drawn for the event at hand. */
  readonly avoided: RowSet;

  /** @param counts [items + 1] interactions by item; entry 0 (padding) is never drawn. */
  constructor(counts: Float32Array, exponent = 0.75) {
    this.cumulative = new Float64Array(counts.length);
    let sum = 0;
    for (let i = 1; i < counts.length; i++) {
      sum += (Math.max(0, counts[i]!) + 1) ** exponent;
      this.cumulative[i] = sum;
    }
    this.logs = new Float64Array(counts.length);
    this.among = new Int32Array(counts.length);
    this.avoided = new RowSet(counts.length);
    const parts = counts.length;
    this.guide = new Int32Array(parts + 1);
    this.density = parts / sum;
    for (let part = 0, item = 1; part <= parts; part++) {
      while (item < this.items && this.cumulative[item]! <= (part / parts) * sum) item++;
      this.guide[part] = item;
    }
  }

  get items(): number {
    return this.cumulative.length - 1;
  }

  /** log q(item) among the first `items`. */
  logProbability(item: number, items = this.items): number {
    if (this.among[item] !== items) {
      const c = this.cumulative;
      this.logs[item] = Math.log((c[item]! - c[item - 1]!) / c[items]!);
      this.among[item] = items;
    }
    return this.logs[item]!;
  }

  /** One of the first `items`. */
  draw(random: Random, items = this.items): number {
    const c = this.cumulative;
    const at = random.uniform() * c[items]!;
    let item = this.guide[Math.floor(at * this.density)]!;
    // The product may be off by a digit.
    while (item > 1 && c[item - 1]! > at) item--;
    while (item < items && c[item]! <= at) item++;
    return Math.min(item, items);
  }
}

/**
 * An example's `negatives` [n]: what was shown beside its item, where that is to count and is known, else drawn; and the −log(n · q) by which the logit of each is corrected. They avoid the target and the user's history, and
 * their stream is named by the event's id: the same event always draws the same ones.
 */
export function drawNegatives(
  example: Pick<LearnExample, 'event' | 'item' | 'query' | 'known'>,
  { proposal, count, seed, shown }: NegativeOptions,
  negatives: Int32Array,
  offsets: Float32Array,
): void {
  const others = shown ? othersShown(example, shown) : [];
  if (others.length > 0) {
    fillWith(others, negatives, offsets);
    return;
  }
  const { event, item, query, known } = example;
  const random = Random.of(seed, 'negatives', event.id);
  const { avoided } = proposal;
  avoided.clear();
  avoided.add(item);
  for (let i = 0; i < query.items.length; i++) avoided.add(query.items[i]!);
  const correction = -Math.log(count);
  for (let j = 0; j < count; j++) {
    let drawn = proposal.draw(random, known - 1);
    for (let t = 1; t < TRIES && avoided.has(drawn); t++) drawn = proposal.draw(random, known - 1);
    negatives[j] = drawn;
    // A catalogue the user knows whole leaves no negatives: such a draw is masked.
    offsets[j] = drawn === item ? MASKED : correction - proposal.logProbability(drawn, known - 1);
  }
}
