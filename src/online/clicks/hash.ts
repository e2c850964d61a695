const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;
/** 2³² / golden ratio, odd (Knuth, The Art of Computer Programming 3, 6.4). */
const GOLDEN = 0x9e3779b1;

/** FNV-1a, 32 bit (Fowler, Noll & Vo), over a text's UTF-16 units, going on from `state`: unlike one of UTF-8 bytes it allocates nothing. Low bits need `mixed`. */
export function absorbed(text: string, state: number = OFFSET): number {
  let hash = state;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash;
}

/** Every bit of the result depends on every bit of `hash`: the finaliser of MurmurHash3 (Appleby 2011). */
export function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** Hash of a feature by its name. */
export const hashOf = (name: string): number => mixed(absorbed(name));

/** Hash of the cross of two features; which is first counts. */
export const crossed = (first: number, second: number): number => mixed(Math.imul(first, GOLDEN) ^ second);
