/** Event ids with their journal numbers, oldest first. */
export interface EventIds {
  readonly ids: readonly string[];
  readonly seqs: readonly number[];
}

/** The most recent event ids with their journal numbers, bounded: the oldest are forgotten first. */
export class RecentIds {
  private readonly numbers = new Map<string, number>();

  constructor(private readonly limit: number) {}

  get(id: string): number | undefined {
    return this.numbers.get(id);
  }

  add(id: string, seq: number): void {
    this.numbers.set(id, seq);
    if (this.numbers.size > this.limit) this.numbers.delete(this.numbers.keys().next().value!);
  }

  /** How many events came after number `seq`, and the ids of the newest of them, at most `limit`, oldest first. */
  since(seq: number, limit: number): { readonly count: number; readonly events: readonly string[] } {
    const later = [...this.numbers].filter(([, number]) => number > seq);
    return { count: later.length, events: later.slice(-limit).map(([id]) => id) };
  }

  /** Forgets ids by their numbers. */
  forget(gone: (seq: number) => boolean): void {
    for (const [id, seq] of this.numbers) if (gone(seq)) this.numbers.delete(id);
  }

  snapshot(): EventIds {
    return { ids: [...this.numbers.keys()], seqs: [...this.numbers.values()] };
  }

  load({ ids, seqs }: EventIds): void {
    for (const [i, id] of ids.entries()) this.add(id, seqs[i]!);
  }
}
