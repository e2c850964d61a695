import { RecsysError } from '../../errors.js';
import { formatBytes } from '../../report/format.js';
import { displayWidth } from '../../report/table.js';
import { verifyFiles } from '../../storage/checkpoint.js';
import type { FileRecord } from '../../storage/tensor-file.js';
import type { StageContext } from '../../types.js';

/** What is known of a directory: as facts for `--json`, and as text in sections. */
export interface Explanation {
  readonly kind: string;
  /** What it is, in a sentence. */
  readonly summary: string;
  readonly sections: readonly Section[];
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface Section {
  readonly title: string;
  /** Names with values, or lines as they are. */
  readonly body: readonly (readonly [string, string])[] | string;
}

export function renderExplanation({ summary, sections }: Explanation): string {
  const parts = sections
    .filter(({ body }) => body.length > 0)
    .map(({ title, body }) => `${title}\n${indent(typeof body === 'string' ? body : pairs(body))}`);
  return [summary, ...parts].join('\n\n');
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}

function pairs(entries: readonly (readonly [string, string])[]): string {
  const width = Math.max(...entries.map(([name]) => displayWidth(name)));
  return entries
    .map(([name, value]) => `${name}${' '.repeat(width - displayWidth(name))}  ${value}`.trimEnd())
    .join('\n');
}

/**
 * Verifies the files a manifest records.
 * @throws CHECKPOINT_DAMAGED or DATASET_DAMAGED naming every file that is not as recorded
 */
export async function verified(
  dir: string,
  files: Readonly<Record<string, FileRecord>>,
  code: 'CHECKPOINT_DAMAGED' | 'DATASET_DAMAGED',
  context: StageContext,
): Promise<Section> {
  const total = Object.keys(files).length;
  const problems = await verifyFiles(dir, files, (done) => {
    if (context.signal.aborted) throw new RecsysError('INTERRUPTED', 'stopped while verifying');
    context.progress({ task: 'verify', done, total });
  });
  if (problems.length > 0) {
    const remedy = 'Restore the directory from a copy, or make it again.';
    const list = problems.map((problem) => `\n  ${problem}`).join('');
    throw new RecsysError(code, `${dir}: ${problems.length} of ${total} files are damaged:${list}`, {
      remedy,
    });
  }
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
  return { title: 'Files', body: `${total} files, ${formatBytes(bytes)}; every SHA-256 is as recorded` };
}

/** The first digits of a hash, enough to tell two apart. */
export function short(hash: string): string {
  return hash.slice(0, 12);
}
