/** What is kept of a teacher's answer at one position; the same for all positions of a run. */
export interface RecordLayout {
  /** K: the teacher's best items. */
  readonly top: number;
  /** T: items drawn from all others, with the teacher's probabilities. */
  readonly tail: number;
  /** D of the teacher's layer, 0 where none is kept. */
  readonly layer: number;
  /** Bytes of an item's number. */
  readonly idBytes: 2 | 4;
  readonly bytes: number;
}

/** The layout for a catalogue of `items` (padding not counted). */
export function layoutOf(items: number, top: number, tail: number, layer: number): RecordLayout {
  const kept = Math.min(top, items);
  const drawn = kept === items ? 0 : tail;
  const idBytes = items < 65_536 ? 2 : 4;
  const scores = (kept + drawn) * (idBytes + 2);
  const bytes = roundUp4(scores) + (layer > 0 ? 4 + roundUp4(layer) : 0);
  return { top: kept, tail: drawn, layer, idBytes, bytes };
}

const roundUp4 = (n: number): number => Math.ceil(n / 4) * 4;

/** A teacher's answer at one position: its top items, best first, then those drawn, each with its probability. */
export interface Answer {
  /** [K + T]; 0 where there is none. */
  readonly ids: Int32Array;
  readonly probabilities: Float32Array;
  readonly layer?: Float32Array;
}

/** Steps of a probability's code: −ln p in 2,048ths, so that a code is off by at most .03 %, down to e⁻³². */
const STEPS = 2048;
const NONE = 65_535;

export function encodeProbability(p: number): number {
  return p > 0 ? Math.max(0, Math.min(NONE, Math.round(-Math.log(p) * STEPS))) : NONE;
}

export function decodeProbability(code: number): number {
  return code === NONE ? 0 : Math.exp(-code / STEPS);
}

/** Writes an answer as a record: item numbers, probabilities' codes, and the layer in bytes with one scale. */
export function encodeRecord(layout: RecordLayout, answer: Answer): Uint8Array {
  const { idBytes, layer } = layout;
  const count = layout.top + layout.tail;
  const buffer = new ArrayBuffer(layout.bytes);
  (idBytes === 2 ? new Uint16Array(buffer, 0, count) : new Uint32Array(buffer, 0, count)).set(answer.ids);
  const codes = new Uint16Array(buffer, count * idBytes, count);
  for (let k = 0; k < count; k++) codes[k] = encodeProbability(answer.probabilities[k]!);
  if (layer > 0) {
    const at = roundUp4(count * (idBytes + 2));
    const values = answer.layer!;
    const scale = values.reduce((m, x) => Math.max(m, Math.abs(x)), 0) / 127;
    new Float32Array(buffer, at, 1)[0] = scale;
    const coded = new Int8Array(buffer, at + 4, layer);
    for (let d = 0; d < layer; d++) coded[d] = scale > 0 ? Math.round(values[d]! / scale) : 0;
  }
  return new Uint8Array(buffer);
}

/** Reads the record that starts at `offset` of `bytes` into row `row` of ids and probabilities [P, K + T] and layers [P, D]. */
export function decodeRecord(
  layout: RecordLayout,
  bytes: Uint8Array,
  offset: number,
  row: number,
  into: { ids: Int32Array; probabilities: Float32Array; layers: Float32Array | undefined },
): void {
  const { idBytes, layer } = layout;
  const count = layout.top + layout.tail;
  const { buffer } = bytes;
  const start = bytes.byteOffset + offset;
  const ids = idBytes === 2 ? new Uint16Array(buffer, start, count) : new Uint32Array(buffer, start, count);
  const codes = new Uint16Array(buffer, start + count * idBytes, count);
  for (let k = 0; k < count; k++) {
    into.ids[row * count + k] = ids[k]!;
    into.probabilities[row * count + k] = decodeProbability(codes[k]!);
  }
  if (layer === 0 || !into.layers) return;
  const at = start + roundUp4(count * (idBytes + 2));
  const scale = new Float32Array(buffer, at, 1)[0]!;
  const coded = new Int8Array(buffer, at + 4, layer);
  for (let d = 0; d < layer; d++) into.layers[row * layer + d] = coded[d]! * scale;
}
