import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const SCENARIOS = 'docs/scenarios';

/** Pages that show measured tables, relative to the root. */
export const PAGES: readonly string[] = [
  'README.md',
  'bench/README.md',
  ...readdirSync(join(ROOT, SCENARIOS)).map((name) => `${SCENARIOS}/${name}`),
];

/** Rewrites those pages that `change` changes. */
export function changePages(pages: readonly string[], change: (page: string) => string): void {
  for (const page of pages) {
    const file = join(ROOT, page);
    const before = readFileSync(file, 'utf8');
    const after = change(before);
    if (after !== before) writeFileSync(file, after);
  }
}
