import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../storage/atomic.js';
import { inputsSchema } from '../pipeline/record.js';

/** Where a trial keeps what. */
export interface Places {
  /** The checkpoint. */
  readonly dir: string;
  readonly partial: string;
  /** The settings it is trained with. */
  readonly config: string;
  readonly record: string;
  /** What its process wrote to stderr. */
  readonly log: string;
}

export function placesOf(out: string, trial: number): Places {
  const dir = join(out, 'trials', String(trial));
  return {
    dir,
    partial: `${dir}.partial`,
    config: `${dir}.yaml`,
    record: `${dir}.json`,
    log: `${dir}.log`,
  };
}

const recordSchema = z.object({
  /** `open`: not trained to its end, and no process at it; `running` also where that process was killed. */
  state: z.enum(['running', 'open', 'done', 'failed']),
  inputs: inputsSchema,
  /** Identity of the checkpoint; null before there is one. */
  output: z.string().nullable(),
  /** Training time so far, of processes that ended in order. */
  seconds: z.number(),
});
export type TrialRecord = z.output<typeof recordSchema>;

/** The record of a trial; undefined where there is none that can be read. */
export async function readTrialRecord(file: string): Promise<TrialRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

export async function writeTrialRecord(file: string, record: TrialRecord): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(record, null, 1)}\n`);
}
