import { frameRecords } from '../frame.js';
import { type Impression, loggedRecord } from '../impressions/record.js';
import { surveyed } from '../journal/check.js';
import { DISK, type JournalFiles } from '../journal/files.js';
import { listSegments } from '../journal/segments.js';
import { mentionOf } from './erased-events.js';

/** A list that was served to a user. */
export interface KnownImpression extends Omit<Impression, 'type' | 'user'> {
  /** Number in the log. */
  readonly seq: number;
}

/** Some of a user's lists, oldest first, and the number to go on after; null where there are no more. */
export interface KnownImpressions {
  readonly impressions: readonly KnownImpression[];
  readonly next: number | null;
}

/** The first lists of a user after a number of the log, of one segment at a time; a service may write meanwhile. What is damaged is passed over. */
export async function knownImpressions(
  directory: string,
  { user, after, limit }: { readonly user: string; readonly after: number; readonly limit: number },
  files: JournalFiles = DISK,
): Promise<KnownImpressions> {
  const impressions: KnownImpression[] = [];
  const segments = await listSegments(files, directory);
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1];
    if (next && next.firstSeq <= after + 1) continue;
    for (const frame of surveyed(await files.read(segment.file), segment.firstSeq)) {
      if (!frame.payload.includes(mentionOf(user))) continue;
      for (const [at, raw] of frameRecords(frame).entries()) {
        const seq = frame.firstSeq + at;
        if (seq <= after || (raw as Impression).user !== user) continue;
        if (impressions.length === limit) return { impressions, next: impressions.at(-1)!.seq };
        const record = loggedRecord.safeParse(raw);
        if (!record.success || record.data.type !== 'impression') continue;
        const { type: _, user: __, ...impression } = record.data;
        impressions.push({ seq, ...impression });
      }
    }
  }
  return { impressions, next: null };
}
