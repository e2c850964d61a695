import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { QUIET } from './cache.js';

const require = createRequire(import.meta.url);

interface Quiet {
  mute(): number;
  restore(handle: number): void;
}

let quiet: Quiet | undefined;

/** Loads the helper of a native install, where it has one. */
export function loadQuiet(folder: string): void {
  const file = join(folder, QUIET);
  if (existsSync(file)) quiet = require(file) as Quiet;
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
