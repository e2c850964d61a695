import type { OnlineEvent } from '../events.js';
import { frameRecords } from '../frame.js';
import { DISK, type JournalFiles } from '../journal/files.js';
import { damaged, examine, listSegments } from '../journal/segments.js';
import { parseRecord } from '../records.js';

/** An event, and what became of it; absent where the journal does not say yet. */
export interface KnownEvent extends Omit<OnlineEvent, 'user'> {
  readonly seq: number;
  readonly disposition?: 'learned' | 'skipped';
  /** Why it was skipped. */
  readonly reason?: string;
}

/** Some of a user's events, oldest first, and the number to go on after; null where there are no more. */
export interface KnownEvents {
  readonly events: readonly KnownEvent[];
  readonly next: number | null;
}

/**
 * The first events of a user after a journal number. Reads one segment at a time, and stops once what became of them is known; a service may
 * write meanwhile.
 * @throws RecsysError JOURNAL_DAMAGED
 */
export async function knownEvents(
  directory: string,
  { user, after, limit }: { readonly user: string; readonly after: number; readonly limit: number },
  files: JournalFiles = DISK,
): Promise<KnownEvents> {
  const events: KnownEvent[] = [];
  const waiting = new Map<number, number>();
  let more = false;
  const mentions = [`"user":${JSON.stringify(user)}`, '"outcome"'];
  const segments = await listSegments(files, directory);
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1];
    if (next && next.firstSeq <= after + 1) continue;
    const contents = examine(await files.read(segment.file), segment, segment.firstSeq, next === undefined);
    if ('what' in contents) throw damaged(contents);
    for (const frame of contents.frames) {
      if (!mentions.some((text) => frame.payload.includes(text))) continue;
      for (const [at, raw] of frameRecords(frame).entries()) {
        const seq = frame.firstSeq + at;
        const record = parseRecord(seq, raw);
        if (record.type === 'event' && record.user === user && seq > after) {
          if (events.length >= limit) more = true;
          else {
            const { type: _, user: __, ...event } = record;
            waiting.set(seq, events.push({ seq, ...event }) - 1);
          }
        }
        if (record.type !== 'outcome') continue;
        const skipped = Object.entries(record.skipped ?? {});
        for (const [event, index] of waiting) {
          if (event > record.through) break;
          const reason = skipped.find(([, seqs]) => seqs.includes(event))?.[0];
          const became = reason === undefined ? 'learned' : 'skipped';
          events[index] = {
            ...events[index]!,
            disposition: became,
            ...(reason === undefined ? {} : { reason }),
          };
          waiting.delete(event);
        }
      }
      if (more && waiting.size === 0) return { events, next: events.at(-1)!.seq };
    }
  }
  return { events, next: more ? events.at(-1)!.seq : null };
}
