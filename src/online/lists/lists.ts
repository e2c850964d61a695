import { type TopK, topK } from '../../compute/topk.js';
import type { Catalogue, StageContext } from '../../types.js';
import type { OpenCatalogue } from '../open-catalogue.js';
import { Attributes } from './attributes.js';
import { Availability } from './availability.js';
import type { ListsConfig } from './schema.js';
import { select } from './selection.js';

/** Candidates that caps and diversity choose from, for each place of the list, and at least. */
const CANDIDATES = { each: 10, least: 100 };

/** Makes lists of scores: what the rules of the house leave, best first. */
export class Lists {
  /** Rows of the ids that cannot be had, while neither the ids nor the catalogue change. */
  private gone: ReadonlySet<number> = new Set();
  private goneIds: ReadonlySet<string> | undefined;
  private goneOf = 0;

  private constructor(
    private readonly config: ListsConfig,
    private readonly attributes: Attributes,
    private readonly items: Pick<OpenCatalogue, 'get' | 'size'>,
    /** [items + 1] what is added to scores; undefined where nothing is. */
    private readonly boosts: Float32Array | undefined,
    private readonly excluded: ReadonlySet<number>,
    private readonly availability: Availability | undefined,
  ) {}

  /** @throws RecsysError CONFIG_INVALID for rules on attributes or values that no item has · FILE_MISSING · DISK */
  static async open(
    config: ListsConfig,
    catalogue: Catalogue,
    items: Pick<OpenCatalogue, 'get' | 'size'>,
    log: StageContext['log'],
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
    return new Lists(config, attributes, items, boosts, excluded, availability);
  }

  /**
   * The `k` best of one row of scores.
   * @param scores [items + 1]: logits, or counts where `counts` is true
   * @param barred items that the request leaves out
   */
  async best(
    scores: Float32Array,
    k: number,
    barred: { has(item: number): boolean },
    counts: boolean,
  ): Promise<TopK> {
    const { config, items, excluded } = this;
    const gone = await this.unavailable();
    const out = { has: (item: number) => excluded.has(item) || gone.has(item) || barred.has(item) };
    const raised = this.raised(scores, counts);
    const most = new Map(Object.entries(config.most));
    const { diversity } = config;
    if (most.size === 0 && diversity === 0) return topK(raised, 0, items.size, k, out);
    const wanted = Math.max(CANDIDATES.least, CANDIDATES.each * k);
    const { attributes } = this;
    return select(topK(raised, 0, items.size, wanted, out), k, { attributes, most, diversity });
  }

  private async unavailable(): Promise<ReadonlySet<number>> {
    const ids = await this.availability?.unavailable();
    if (!ids) return this.gone;
    if (ids !== this.goneIds || this.items.size !== this.goneOf) {
      this.gone = new Set([...ids].flatMap((id) => this.items.get(id) ?? []));
      this.goneIds = ids;
      this.goneOf = this.items.size;
    }
    return this.gone;
  }

  /** A boost times the odds of a logit, or times a count. */
  private raised(scores: Float32Array, counts: boolean): Float32Array {
    const { boosts } = this;
    if (!boosts) return scores;
    return scores.map((score, item) => (counts ? score * Math.exp(boosts[item]!) : score + boosts[item]!));
  }
}
