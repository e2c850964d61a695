import { hash32 } from '../random.js';
import { type Dataset, SPLIT } from './dataset.js';

/**
 * 64-bit hashes of the events of one part of a dataset, sorted: (user id, item id, behaviour name, time). They do not depend
 * on numbering, so that datasets that share events can be compared. [rows of the part]
 */
export function eventHashes(
  dataset: Pick<Dataset, 'catalogue' | 'interactions'>,
  part: keyof typeof SPLIT,
): BigUint64Array {
  const { catalogue, interactions: rows } = dataset;
  const code = SPLIT[part];
  let count = 0;
  for (let r = 0; r < rows.length; r++) if (rows.split[r] === code) count++;
  const hashes = new BigUint64Array(count);
  const words = new Uint32Array(hashes.buffer);
  const time = new Float64Array(1);
  const halves = new Uint32Array(time.buffer);
  for (const [half, seed] of [0x5bd1e995, 0x1b873593].entries()) {
    const tables = [catalogue.users, catalogue.items, catalogue.behaviours].map((names) =>
      Uint32Array.from(names, (name) => hash32(name, seed)),
    );
    const [users, items, behaviours] = tables;
    let at = 0;
    for (let r = 0; r < rows.length; r++) {
      if (rows.split[r] !== code) continue;
      time[0] = rows.time[r]!;
      let h = combine(seed, users![rows.user[r]!]!);
      h = combine(h, items![rows.item[r]!]!);
      h = combine(h, behaviours![rows.behaviour[r]!]!);
      h = combine(h, halves[0]!);
      words[2 * at + half] = combine(h, halves[1]!);
      at++;
    }
  }
  return hashes.sort();
}

/** A bijective mix of the state with one word (MurmurHash3's finaliser). */
function combine(state: number, word: number): number {
  let h = Math.imul(state ^ word, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
