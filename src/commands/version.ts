import { createRequire } from 'node:module';

/** Version of recsys: its package's. */
export function version(): string {
  return (createRequire(import.meta.url)('../../package.json') as { version: string }).version;
}
