import { performance } from 'node:perf_hooks';
import type { Counter, Registry } from 'prom-client';
import type { ItemScores } from '../../compute/topk.js';
import type { StageContext } from '../../types.js';
import { turn } from '../turn.js';
import { buildIndex } from './build.js';
import { queryOf, united, vectorsOf } from './candidates.js';
import { type Compared, Comparisons } from './comparisons.js';
import { FreshItems } from './fresh.js';
import type { RetrievalMeans } from './means.js';
import { retrievalMetrics } from './metrics.js';
import type { RetrievalConfig } from './schema.js';
import {
  type IndexFacts,
  readIndex,
  removeIndex,
  type StoredIndex,
  writeFresh,
  writeIndex,
} from './stored.js';

const HOUR_MS = 3_600_000;

export interface RetrievalOptions {
  readonly config: RetrievalConfig;
  readonly means: RetrievalMeans;
  /** Where the index is. */
  readonly directory: string;
  /** What is served, as snapshots name it, and whether it goes by a name. */
  readonly eras: { readonly id: string; fits(id: string): boolean };
  /** Rows of the catalogue that have items, padding included. */
  readonly rows: number;
  readonly registry: Registry;
  readonly log: StageContext['log'];
}

/** The service, as far as an index is made from it. */
export interface Indexed {
  /** Number of the last journal record. */
  readonly position: number;
  /** Events acknowledged and not yet learned. */
  readonly lag: number;
}

/**
 * Which items a list is made from: those that an approximate index of items' vectors proposes, those that events named since it was made, and those of the
 * user's own history. Candidates are scored by the weights of the moment. The index is no part of the state: it only follows it.
 */
export class Retrieval {
  private readonly lists: Counter<'scored'>;
  private readonly comparisons: Comparisons;
  private readonly fresh: FreshItems;
  private rows: number;
  private service: Indexed | undefined;
  private timer: NodeJS.Timeout | undefined;
  private abort = new AbortController();
  private building: Promise<void> = Promise.resolve();
  private suspended = false;

  private constructor(
    private readonly options: RetrievalOptions,
    private current: StoredIndex | undefined,
  ) {
    const { config, rows, registry, log } = options;
    this.rows = rows;
    this.fresh = new FreshItems(config.fresh);
    this.comparisons = new Comparisons((error) =>
      log('warn', `a list could not be compared with the exact one: ${String(error)}`),
    );
    this.lists = retrievalMetrics(registry, {
      ready: () => Number(this.ready),
      recall: () => this.comparisons.recall,
    });
    if (!current) return;
    const { facts, fresh } = current;
    for (let row = facts.rows; row < rows; row++) this.fresh.note(row);
    for (const row of fresh) if (row < rows) this.fresh.note(row);
    log('info', `lists are made with the index of ${facts.rows - 1} items in the state directory`);
  }

  /** With the index of the directory, where it was made of what is served. */
  static async open(options: RetrievalOptions): Promise<Retrieval> {
    const { config, means, directory, eras, rows, log } = options;
    const fits = (facts: IndexFacts): boolean =>
      eras.fits(facts.checkpoint) &&
      facts.width === means.products.width + 1 &&
      facts.rows <= rows &&
      facts.connectivity === config.connectivity &&
      facts.expansion === config.expansion;
    return new Retrieval(options, await readIndex(directory, fits, means.make, log));
  }

  /** Whether there is an index. */
  get ready(): boolean {
    return this.current !== undefined;
  }

  /** An event named an item. */
  note(row: number): void {
    this.rows = Math.max(this.rows, row + 1);
    this.fresh.note(row);
  }

  /**
   * Scores of the candidates for a state, exact.
   * @param history rows of items that are candidates, too
   */
  async scores(state: Float32Array, history: Int32Array): Promise<ItemScores> {
    // What an index makes of what is no number nobody knows.
    if (!state.every(Number.isFinite)) throw new Error('the state is not of numbers');
    const { config } = this.options;
    const { keys } = this.current!.index.search(queryOf(state), config.candidates, 1);
    const items = united(this.fresh.sorted, Int32Array.from(keys, Number), history);
    return { items, scores: await this.options.means.products.scores(state, items) };
  }

  /** Counts a list of the model by which items were scored: all, its candidates, or all since rules left too few of those. */
  served(scored: 'exact' | 'index' | 'short'): void {
    this.lists.inc({ scored });
  }

  /** Offers a list of candidates to be compared with the exact one. */
  compares(compare: () => Promise<Compared>): void {
    if (!this.abort.signal.aborted) this.comparisons.offer(compare);
  }

  /** Makes an index where there is none, and a new one whenever it is old. */
  begin(service: Indexed): void {
    this.service = service;
    const age = this.current ? Date.now() - this.current.facts.made : Number.POSITIVE_INFINITY;
    this.schedule(Math.max(0, this.options.config.rebuildHours * HOUR_MS - age));
  }

  private schedule(wait: number): void {
    if (this.abort.signal.aborted) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.building = this.build();
    }, wait).unref();
  }

  private async build(): Promise<void> {
    const { log, config } = this.options;
    const period = config.rebuildHours * HOUR_MS;
    try {
      await this.built();
      this.schedule(period);
    } catch (error) {
      if (this.abort.signal.aborted) return;
      const goesOn = this.ready ? 'the one there is goes on' : 'every item is scored';
      log('warn', `no index could be made: ${goesOn}, and it is tried again (${String(error)})`);
      this.schedule(Math.min(period, HOUR_MS));
    }
  }

  private async built(): Promise<void> {
    const { options, rows } = this;
    const { config, directory, eras, log } = options;
    const { products, make } = options.means;
    const { signal } = this.abort;
    const { position, lag } = this.service!;
    const made = Date.now();
    const start = performance.now();
    // Items of events that are not learned yet have still to move.
    const noted = this.fresh.noted - lag;
    const vectors = await vectorsOf(products, rows, async () => {
      await turn();
      signal.throwIfAborted();
    });
    const { connectivity, expansion } = config;
    const shape = { width: products.width + 1, connectivity, expansion };
    this.current = await writeIndex(
      directory,
      { checkpoint: eras.id, rows, ...shape, position, made },
      (file) => buildIndex({ ...shape, vectors, file }, signal),
      make,
    );
    this.fresh.release(noted);
    const seconds = (performance.now() - start) / 1000;
    log('info', `an index of ${rows - 1} items is made: lists are made with it`, { seconds });
  }

  /** No further index is made or kept, and the one on the disk is gone: it knows what weights knew of users who were erased. */
  async suspend(): Promise<void> {
    this.suspended = true;
    await this.stop();
    await removeIndex(this.options.directory);
  }

  /** Ends what is done in the background; lists go on. */
  async close(): Promise<void> {
    await this.stop();
    const { current, suspended, fresh, options } = this;
    if (!current || suspended) return;
    await writeFresh(options.directory, current.facts, fresh.list()).catch((error) =>
      options.log('warn', `the items that events named could not be written: ${String(error)}`),
    );
  }

  private async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.abort.abort();
    await this.building;
    await this.comparisons.settled();
  }
}
