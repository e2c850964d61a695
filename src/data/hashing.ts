const encoder = new TextEncoder();

/** FNV-1a, 32 bit (Fowler, Noll & Vo), of a text's UTF-8 bytes: stable across platforms and versions. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/**
 * The buckets of words, each once, in the order of their first words: FNV-1a modulo `count` (feature hashing: Weinberger et al.
 * 2009). Numbered from 0.
 */
export function bucketsOf(words: readonly string[], count: number): number[] {
  return [...new Set(words.map((word) => fnv1a(word) % count))];
}
