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
}
