import { RecsysError } from '../../errors.js';
import { versionOf } from '../../storage/checkpoint.js';
import type { Named, NumberedRecord } from './record.js';

/** What grows from one taking up of a checkpoint. */
interface Line extends Named {
  /** Record that took it up; 0: it was there at first. */
  readonly since: number;
  /** What was served before. */
  readonly before: Line | undefined;
  /** Whether the same checkpoint had been served before. */
  readonly again: boolean;
}

/** Records after number `after`, up to the next era. */
interface Era {
  readonly after: number;
  readonly line: Line;
}

/** Stands for the number of a record that is still to be written. */
export const NEXT = Number.POSITIVE_INFINITY;

/**
 * Which checkpoint the records of a journal were served with. Updates teach the shared weights of the line they were made on: a checkpoint that is
 * taken up begins with its own, and the one before, when it is gone back to, with those that it had.
 */
export class Eras {
  private constructor(
    private readonly eras: readonly [Era, ...Era[]],
    /** What the journal says of them. */
    readonly records: readonly NumberedRecord[] = [],
  ) {}

  /** @param first the checkpoint before the first record */
  static of(first: Named, records: readonly NumberedRecord[] = []): Eras {
    const line = { ...first, since: 0, before: undefined, again: false };
    return records.reduce((eras, record) => eras.after(record), new Eras([{ after: 0, line }]));
  }

  /** What a record makes of these. @throws RecsysError JOURNAL_DAMAGED where there is nothing to go back to */
  after(record: NumberedRecord): Eras {
    const { current, eras, records } = this;
    const { seq } = record;
    const line = record.back ? current.before : this.begun(seq, record);
    if (line === undefined)
      throw new RecsysError(
        'JOURNAL_DAMAGED',
        `journal record ${seq} goes back to a checkpoint, and there is none before`,
      );
    return new Eras([...eras, { after: seq, line }], [...records, record]);
  }

  private begun(since: number, { sha256, path }: Named): Line {
    return { sha256, path, since, before: this.current, again: this.knows(sha256) };
  }

  get current(): Line {
    return this.eras.at(-1)!.line;
  }

  /** Record that the checkpoint is served since; 0: from the first. */
  get since(): number {
    return this.eras.at(-1)!.after;
  }

  /** Names in snapshots what they stand for: the same checkpoint taken up twice is not the same. */
  get id(): string {
    const { sha256, since } = this.current;
    if (since === 0) return sha256;
    return `${sha256}@${since === NEXT ? 'next' : since}`;
  }

  /** Whether a snapshot of that name is one of this line; one of the next record was made ready for it. */
  fits(id: string | undefined): boolean {
    const { sha256, since } = this.current;
    return id === this.id || (since > 0 && id === `${sha256}@next`);
  }

  /** Names the checkpoint in model versions. */
  get version(): string {
    const { sha256, since, again } = this.current;
    return again
      ? `${versionOf({ manifestSha256: sha256 })}@${since}`
      : versionOf({ manifestSha256: sha256 });
  }

  knows(sha256: string): boolean {
    return this.eras.some(({ line }) => line.sha256 === sha256);
  }

  /** Whether the update that record `seq` tells of was one of the line that is served now. */
  learns(seq: number): boolean {
    return this.eras.findLast(({ after }) => after < seq)?.line === this.current;
  }
}
