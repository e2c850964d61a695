/** Items that events named, the last of them, each once. */
export class FreshItems {
  /** By row: the number of the newest event that named it; oldest first. */
  private readonly named = new Map<number, number>();
  private count = 0;
  private rows: Int32Array | undefined;

  /** @param most items held on to */
  constructor(private readonly most: number) {}

  note(row: number): void {
    const known = this.named.delete(row);
    this.named.set(row, ++this.count);
    if (!known) this.rows = undefined;
    if (this.named.size <= this.most) return;
    const [oldest] = this.named.keys();
    this.named.delete(oldest!);
    this.rows = undefined;
  }

  /** Events so far. */
  get noted(): number {
    return this.count;
  }

  /** Lets go of items that no event has named after number `noted`. */
  release(noted: number): void {
    for (const [row, at] of this.named) if (at <= noted) this.named.delete(row);
    this.rows = undefined;
  }

  /** Rows, the last named last. */
  list(): number[] {
    return [...this.named.keys()];
  }

  /** Rows, ascending. */
  get sorted(): Int32Array {
    this.rows ??= Int32Array.from(this.named.keys()).sort();
    return this.rows;
  }
}
