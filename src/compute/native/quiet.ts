import { createRequire } from 'node:module';
import { join } from 'node:path';
import { QUIET } from './cache.js';

const require = createRequire(import.meta.url);

interface Quiet {
  mute(): number;
  restore(handle: number): void;
}

let quiet: Quiet | undefined;

/** Loads the helper of a native install; without it the library's chatter is seen, and nothing else changes. */
export function loadQuiet(folder: string): void {
  const file = join(folder, QUIET);
  try {
    quiet = require(file) as Quiet;
  } catch {
    quiet = undefined;
  }
}

/** Runs synchronous native work with what it writes to standard error thrown away; RECSYS_VERBOSE_NATIVE=1 lets it through. */
export function quietly<T>(work: () => T): T {
  if (!quiet || process.env.RECSYS_VERBOSE_NATIVE === '1') return work();
  const handle = quiet.mute();
  try {
    return work();
  } finally {
    quiet.restore(handle);
  }
}
