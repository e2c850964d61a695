import { type ItemScores, type TopK, topK, topKOf } from '../../compute/topk.js';
import type { Catalogue, StageContext } from '../../types.js';
import type { Exploration } from '../exploration/exploration.js';
import type { OpenCatalogue } from '../open-catalogue.js';
import { Attributes } from './attributes.js';
import { Availability } from './availability.js';
import type { ListsConfig } from './schema.js';
import { type Chosen, select } from './selection.js';

/** Candidates that caps and diversity choose from, for each place of the list, and at least. */
const CANDIDATES = { each: 10, least: 100 };

/** What a list is asked for. */
export interface Wanted {
  readonly k: number;
  /** Items that the request leaves out. */
  readonly barred: { has(item: number): boolean };
  /** True where scores are counts, not logits. */
  readonly counts: boolean;
  /** In place of `lists.diversity`. */
  readonly diversity?: number | undefined;
  /** What exploration draws by. Absent: the list is the best. */
  readonly requestId?: string | undefined;
  /** [items + 1] interactions by item. */
  readonly popularity: Float32Array;
}

/** A list, and what it was drawn from. */
export interface List extends Chosen {
  /** Items that the places could go to. */
  readonly pool: Int32Array;
  /** Whether something beside scores had a say in which items follow each other. */
  readonly reranked: boolean;
}

/** Makes lists of scores: what the rules of the house leave, best first. */
export class Lists {
  /** Rows of the ids that cannot be had, while neither the ids nor the catalogue change. */
  private gone: ReadonlySet<number> = new Set();
  private goneIds: ReadonlySet<string> | undefined;
  private goneOf = 0;
  private readonly most: ReadonlyMap<string, number>;

  private constructor(
    private readonly config: ListsConfig,
    private readonly attributes: Attributes,
    private readonly items: Pick<OpenCatalogue, 'get' | 'size' | 'version'>,
    /** [items + 1] what is added to scores; undefined where nothing is. */
    private readonly boosts: Float32Array | undefined,
    private readonly excluded: ReadonlySet<number>,
    private readonly availability: Availability | undefined,
    private readonly exploration: Exploration | undefined,
  ) {
    this.most = new Map(Object.entries(config.most));
  }

  /** @throws RecsysError CONFIG_INVALID for rules on attributes or values that no item has · FILE_MISSING · DISK */
  static async open(
    config: ListsConfig,
    catalogue: Catalogue,
    items: Pick<OpenCatalogue, 'get' | 'size' | 'version'>,
    log: StageContext['log'],
    exploration?: Exploration,
  ): Promise<Lists> {
    const attributes = new Attributes(catalogue);
    for (const attribute of Object.keys(config.most)) attributes.check(attribute, `lists.most.${attribute}`);
    const boosts = config.rules.some(({ boost }) => boost !== undefined)
      ? new Float32Array(catalogue.items.length)
      : undefined;
    const excluded = new Set<number>();
    for (const [index, { attribute, values, boost }] of config.rules.entries()) {
      const tokens = new Set(attributes.tokens(attribute, values, `lists.rules.${index}`));
      for (let item = 1; item < catalogue.items.length; item++) {
        if (!attributes.of(item).some((token) => tokens.has(token))) continue;
        if (boost === undefined) excluded.add(item);
        else boosts![item]! += Math.log(boost);
      }
    }
    const { unavailable } = config;
    const availability = unavailable === undefined ? undefined : await Availability.open(unavailable, log);
    return new Lists(config, attributes, items, boosts, excluded, availability, exploration);
  }

  /**
   * A list out of one row of scores: the `k` best, or what exploration draws.
   * @param scores [items + 1]: logits, or counts; or those of some items, of which the list is then made
   */
  async best(
    scores: Float32Array | ItemScores,
    { k, barred, counts, requestId, popularity, diversity = this.config.diversity }: Wanted,
  ): Promise<List> {
    const { most, exploration } = this;
    const out = await this.out(barred);
    const top = this.raised(scores, counts, out);
    const explores = requestId !== undefined && exploration?.explores;
    const reranked = most.size > 0 || diversity > 0;
    if (!explores && !reranked) {
      const best = top(k);
      const propensities = new Float64Array(best.items.length).fill(1);
      return { ...best, propensities, pool: best.items, reranked };
    }
    const wanted = explores
      ? Math.max(exploration.config.pool, k)
      : Math.max(CANDIDATES.least, CANDIDATES.each * k);
    const options = { attributes: this.attributes, most, diversity };
    const pool = top(wanted);
    if (!explores) return { ...select(pool, k, options), pool: pool.items, reranked };
    // Counts as logits: a softmax of them is then proportional to the counts.
    const logits = counts ? { ...pool, scores: pool.scores.map((count) => Math.log(count + 1)) } : pool;
    const chosen = select(logits, k, options, exploration.chooser(requestId, popularity));
    const raised = new Map(Array.from(pool.items, (item, at) => [item, pool.scores[at]!]));
    return {
      ...chosen,
      scores: Float32Array.from(chosen.items, (item) => raised.get(item)!),
      pool: pool.items,
      reranked,
    };
  }

  /** What is left of a list that was made before. */
  async left({ items, scores }: TopK, k: number, barred: Wanted['barred']): Promise<TopK> {
    const out = await this.out(barred);
    const places = [...items.keys()].filter((at) => !out.has(items[at]!)).slice(0, k);
    return {
      items: Int32Array.from(places, (at) => items[at]!),
      scores: Float32Array.from(places, (at) => scores[at]!),
    };
  }

  private async out(barred: Wanted['barred']): Promise<Wanted['barred']> {
    const gone = await this.unavailable();
    const { excluded } = this;
    return { has: (item) => excluded.has(item) || gone.has(item) || barred.has(item) };
  }

  private async unavailable(): Promise<ReadonlySet<number>> {
    const ids = await this.availability?.unavailable();
    if (!ids) return this.gone;
    if (ids !== this.goneIds || this.items.version !== this.goneOf) {
      this.gone = new Set([...ids].flatMap((id) => this.items.get(id) ?? []));
      this.goneIds = ids;
      this.goneOf = this.items.version;
    }
    return this.gone;
  }

  /** The best by scores with boosts: a boost times the odds of a logit, or times a count. */
  private raised(
    scores: Float32Array | ItemScores,
    counts: boolean,
    out: Wanted['barred'],
  ): (most: number) => TopK {
    const { boosts, items } = this;
    const raise = (score: number, item: number): number =>
      counts ? score * Math.exp(boosts![item]!) : score + boosts![item]!;
    if (scores instanceof Float32Array) {
      const all = boosts ? scores.map(raise) : scores;
      return (most) => topK(all, 0, items.size, most, out);
    }
    const { items: rows, scores: values } = scores;
    const some = boosts ? values.map((score, i) => raise(score, rows[i]!)) : values;
    return (most) => topKOf({ items: rows, scores: some }, most, out);
  }
}
