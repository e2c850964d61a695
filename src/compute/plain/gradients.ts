import { fits, type PlainMemory } from './memory.js';

/** A sum of gradients of rows [rows × width], of which a batch touches few: those alone are kept, and cleared. */
export class RowGradients {
  /** Rows touched, in the order in which they came. */
  readonly ids: number[] = [];
  private readonly places: Int32Array;
  private readonly memory: PlainMemory | undefined;
  private values: Float32Array;

  /** @param memory where room for all rows is taken, so that no sum is ever made in another way */
  constructor(
    rows: number,
    readonly width: number,
    memory?: PlainMemory,
  ) {
    this.places = new Int32Array(rows).fill(-1);
    this.memory = fits(width) ? memory : undefined;
    this.values = this.memory?.allocate(rows * width) ?? new Float32Array(64 * width);
  }

  /** [ids.length × width] in the order of `ids`, and what is left of the room. */
  get data(): Float32Array {
    return this.values;
  }

  /** Where a row's gradient begins in `data`; −1 for a row not touched. */
  find(row: number): number {
    const place = this.places[row]!;
    return place < 0 ? -1 : place * this.width;
  }

  /** Adds `scale` times a vector [width] to a row's gradient; faster where the vector is in the same memory. */
  add(row: number, scale: number, vector: Float32Array | Float64Array): void {
    const { width, memory } = this;
    const at = this.at(row);
    const { values } = this;
    if (memory && vector instanceof Float32Array && memory.owns(vector)) {
      memory.axpy(scale, vector, 0, values, at, width);
      return;
    }
    for (let i = 0; i < width; i++) values[at + i] = values[at + i]! + scale * vector[i]!;
  }

  /** Adds a number to the gradient of a row of one number. */
  addOne(row: number, value: number): void {
    const at = this.at(row);
    this.values[at] = this.values[at]! + value;
  }

  /** Multiplies all gradients. */
  scale(factor: number): void {
    const { values, memory } = this;
    const size = this.ids.length * this.width;
    if (memory) memory.axpy(factor - 1, values, 0, values, 0, size);
    else for (let i = 0; i < size; i++) values[i] = values[i]! * factor;
  }

  squaredNorm(): number {
    const { values, memory, width } = this;
    const size = this.ids.length * width;
    let sum = 0;
    // By row, so that what is summed in float32 is short.
    if (memory) for (let at = 0; at < size; at += width) sum += memory.squares(values, at, width);
    else for (let i = 0; i < size; i++) sum += values[i]! * values[i]!;
    return sum;
  }

  clear(): void {
    this.values.fill(0, 0, this.ids.length * this.width);
    for (const row of this.ids) this.places[row] = -1;
    this.ids.length = 0;
  }

  private at(row: number): number {
    let place = this.places[row]!;
    if (place < 0) {
      place = this.ids.length;
      this.places[row] = place;
      this.ids.push(row);
      if ((place + 1) * this.width > this.values.length) {
        const longer = new Float32Array(2 * this.values.length);
        longer.set(this.values);
        this.values = longer;
      }
    }
    return place * this.width;
  }
}
