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
  for (const [half, seed] of SEEDS.entries()) {
    const tables = [catalogue.users, catalogue.items, catalogue.behaviours].map((names) =>
      Uint32Array.from(names, (name) => hash32(name, seed)),
    );
    const [users, items, behaviours] = tables;
    let at = 0;
    for (let r = 0; r < rows.length; r++) {
      if (rows.split[r] !== code) continue;
      const user = users![rows.user[r]!]!;
      const item = items![rows.item[r]!]!;
      const behaviour = behaviours![rows.behaviour[r]!]!;
      words[2 * at++ + half] = eventWord(seed, user, item, behaviour, rows.time[r]!);
    }
  }
  return hashes.sort();
}

/** Writes the hash of one event into two words at `at`, as `eventHashes` has it. */
export function writeEventHash(
  words: Uint32Array,
  at: number,
  { user, item, behaviour, time }: Readonly<Record<'user' | 'item' | 'behaviour', string>> & { time: number },
): void {
  for (let half = 0; half < SEEDS.length; half++) {
    const seed = SEEDS[half]!;
    const of = (name: string): number => hash32(name, seed);
    words[at + half] = eventWord(seed, of(user), of(item), of(behaviour), time);
  }
}

const SEEDS = [0x5bd1e995, 0x1b873593] as const;
const time64 = new Float64Array(1);
const halves = new Uint32Array(time64.buffer);

function eventWord(seed: number, user: number, item: number, behaviour: number, time: number): number {
  time64[0] = time;
  let h = combine(seed, user);
  h = combine(h, item);
  h = combine(h, behaviour);
  h = combine(h, halves[0]!);
  return combine(h, halves[1]!);
}

/** A bijective mix of the state with one word (MurmurHash3's finaliser). */
function combine(state: number, word: number): number {
  let h = Math.imul(state ^ word, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
