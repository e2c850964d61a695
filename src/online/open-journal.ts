import type { StageContext } from '../types.js';
import type { JournalFiles } from './journal/files.js';
import type { Durability } from './journal/options.js';
import { Journal } from './journal.js';
import type { RetentionConfig } from './schema.js';

const HOUR_MS = 3_600_000;

interface JournalSettings {
  readonly journal: string;
  readonly durability: Durability;
  readonly syncInterval: number;
  readonly files?: JournalFiles;
  readonly retention: RetentionConfig;
  readonly context: Pick<StageContext, 'log'>;
}

/** Opens a service's journal as its settings say. @param committed called with records once they are as durable as promised, in order */
export async function openJournal(
  { journal: directory, durability, syncInterval, files, retention, context }: JournalSettings,
  committed: (first: number, records: readonly unknown[]) => void,
): Promise<Journal> {
  const { segmentBytes, segmentHours } = retention;
  const journal = await Journal.open(directory, {
    segmentBytes,
    segmentAge: segmentHours === undefined ? undefined : segmentHours * HOUR_MS,
    durability,
    syncInterval,
    ...(files ? { files } : {}),
    committed,
  });
  const { cut } = journal;
  if (cut)
    context.log(
      'warn',
      `the journal ended in an unfinished write: cut ${cut.bytes} bytes at offset ${cut.offset}`,
      {
        ...cut,
      },
    );
  return journal;
}
