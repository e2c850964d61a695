import { fits, type PlainMemory } from './memory.js';

/** A sum of gradients of rows [rows × width], of which a batch touches few: those alone are kept, and cleared. */
export class RowGradients {
  /** Rows touched, in the order in which they came: the first `count` of these. */
  readonly ids: Int32Array;
  count = 0;
  /** Where each row is among them; −1 for those not touched. */
  private readonly places: Int32Array;
  private readonly memory: PlainMemory | undefined;
  private values: Float32Array;
  /** Places of the rows that are being added to. */
  private touched = new Int32Array(0);

  /** @param memory where room for all rows is taken, so that no sum is ever made in another way */
  constructor(
    rows: number,
    readonly width: number,
    memory?: PlainMemory,
  ) {
    this.places = new Int32Array(rows).fill(-1);
    this.memory = fits(width) ? memory : undefined;
    this.ids = this.memory?.allocateRows(rows) ?? new Int32Array(rows);
    this.values = this.memory?.allocate(rows * width) ?? new Float32Array(64 * width);
  }

  /** [count × width] in the order of `ids`, and what is left of the room. */
  get data(): Float32Array {
    return this.values;
  }

  /** Where a row's gradient begins in `data`; −1 for a row not touched. */
  find(row: number): number {
    const place = this.places[row]!;
    return place < 0 ? -1 : place * this.width;
  }

  /** Adds scales[k] times a vector [width] to the gradient of each of some rows, one after the other. */
  add(rows: Int32Array, scales: Float64Array, vector: Float64Array): void {
    const { width, memory } = this;
    if (memory) {
      if (this.touched.length < rows.length) this.touched = new Int32Array(rows.length);
      for (let k = 0; k < rows.length; k++) this.touched[k] = this.place(rows[k]!);
      memory.scatter(vector, this.values, this.touched, scales);
      return;
    }
    for (let k = 0; k < rows.length; k++) {
      const at = width * this.place(rows[k]!);
      const { values } = this;
      const scale = scales[k]!;
      for (let i = 0; i < width; i++) values[at + i] = values[at + i]! + scale * vector[i]!;
    }
  }

  /** Adds a number to the gradient of a row of one number. */
  addOne(row: number, value: number): void {
    const at = this.place(row);
    this.values[at] = this.values[at]! + value;
  }

  /** Multiplies all gradients. */
  scale(factor: number): void {
    const { values, memory } = this;
    const size = this.count * this.width;
    if (memory) memory.multiply(values, size, factor);
    else for (let i = 0; i < size; i++) values[i] = values[i]! * factor;
  }

  squaredNorm(): number {
    const { values, memory, width, count } = this;
    if (memory) return memory.squares(values, count, width);
    let sum = 0;
    for (let i = 0; i < count * width; i++) sum += values[i]! * values[i]!;
    return sum;
  }

  clear(): void {
    this.values.fill(0, 0, this.count * this.width);
    for (let k = 0; k < this.count; k++) this.places[this.ids[k]!] = -1;
    this.count = 0;
  }

  private place(row: number): number {
    const known = this.places[row]!;
    if (known >= 0) return known;
    const place = this.count++;
    this.places[row] = place;
    this.ids[place] = row;
    if (this.count * this.width > this.values.length) {
      const longer = new Float32Array(2 * this.values.length);
      longer.set(this.values);
      this.values = longer;
    }
    return place;
  }
}
