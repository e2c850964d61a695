/** A sum of gradients of rows [rows × width], of which a batch touches few: those alone are kept, and cleared. */
export class RowGradients {
  /** Rows touched, in the order in which they came. */
  readonly ids: number[] = [];
  private readonly places: Int32Array;
  private values: Float32Array;

  constructor(
    rows: number,
    readonly width: number,
  ) {
    this.places = new Int32Array(rows).fill(-1);
    this.values = new Float32Array(64 * width);
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

  /** Adds `scale` times a vector [width] to a row's gradient. */
  add(row: number, scale: number, vector: Float64Array): void {
    const { width } = this;
    const at = this.at(row);
    const { values } = this;
    for (let i = 0; i < width; i++) values[at + i] = values[at + i]! + scale * vector[i]!;
  }

  /** Adds a number to the gradient of a row of one number. */
  addOne(row: number, value: number): void {
    const at = this.at(row);
    this.values[at] = this.values[at]! + value;
  }

  /** Multiplies all gradients. */
  scale(factor: number): void {
    const size = this.ids.length * this.width;
    for (let i = 0; i < size; i++) this.values[i] = this.values[i]! * factor;
  }

  squaredNorm(): number {
    const size = this.ids.length * this.width;
    let sum = 0;
    for (let i = 0; i < size; i++) sum += this.values[i]! * this.values[i]!;
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
