import { RecsysError } from '../../errors.js';
import type { JournalRecord } from '../records.js';
import type { LearnedState } from './learned.js';

/**
 * What had been learned at positions that later rollbacks name. A replay copies it where it passes one; of a position before its
 * beginning it reads what is on the disk.
 */
export class KeptStates {
  private readonly kept = new Map<number, LearnedState>();

  /**
   * @param positions that rollbacks after `from` name
   * @param stored what is kept on the disk of a position, if anything
   */
  constructor(
    private readonly from: number,
    private readonly positions: ReadonlySet<number>,
    private readonly stored: (position: number) => Promise<LearnedState | undefined>,
  ) {}

  /** To be called after every record, with its number, and before the first. */
  async pass(position: number, copy: () => Promise<LearnedState>): Promise<void> {
    if (this.positions.has(position)) this.kept.set(position, await copy());
  }

  /** @throws RecsysError JOURNAL_DAMAGED where nobody has it */
  async at(position: number): Promise<LearnedState> {
    const found = this.kept.get(position) ?? (await this.stored(position));
    if (found) return found;
    throw new RecsysError(
      'JOURNAL_DAMAGED',
      `the journal goes back to what was learned at record ${position}, and the state served begins at ${this.from}: there is no copy of it`,
      {
        remedy:
          'Remove the folder `snapshot` from the state directory: the journal is then replayed from the checkpoint, if it is whole.',
      },
    );
  }
}

/** Stands in the bytes of every frame with a rollback in it. */
export const ROLLBACK = '"rollback"';

/** Positions that the rollbacks among some journal records name. @param counts which records do */
export async function rollbacksIn(
  records: AsyncIterable<{ readonly seq: number; readonly record: unknown }>,
  counts: (seq: number) => boolean,
): Promise<Set<number>> {
  const found = new Set<number>();
  for await (const { seq, record } of records) {
    const one = record as JournalRecord;
    if (one.type === 'rollback' && counts(seq)) found.add(one.to);
  }
  return found;
}
