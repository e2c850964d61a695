import { performance } from 'node:perf_hooks';
import { RecsysError } from '../errors.js';
import type { StageContext } from '../types.js';
import { isControl } from './guard/controls.js';
import type { Guard } from './guard/guard.js';
import { KeptStates, ROLLBACK, rollbacksIn } from './guard/kept.js';
import type { LearnedState } from './guard/learned.js';
import type { Journal } from './journal.js';
import type { LearnQueue } from './queue.js';
import { type JournalRecord, parseRecord } from './records.js';
import { turn } from './turn.js';

/** Milliseconds of replaying before what else waits has its turn: a service may answer meanwhile. */
const SLICE_MS = 1;

export interface Replay {
  readonly journal: Journal;
  readonly queue: LearnQueue;
  readonly guard: Guard;
  /** Whether an update that a record tells of taught the model that is served; absent: each did. */
  readonly learns?: ((seq: number) => boolean) | undefined;
  /** What had been learned at a position, where the disk has it. */
  stored(position: number): Promise<LearnedState | undefined>;
  /** A record's effect on everything but what is learned. */
  apply(seq: number, record: JournalRecord): void;
  readonly context: StageContext;
}

/** Brings the state up to the end of the journal, from what it was at `position`; the queue is then still held. @throws RecsysError JOURNAL_DAMAGED, INTERRUPTED */
export async function replayJournal(position: number, replay: Replay): Promise<void> {
  const { journal, queue, guard, context, learns = () => true } = replay;
  if (journal.firstSeq > position + 1) {
    throw new RecsysError(
      'JOURNAL_DAMAGED',
      `the journal begins with record ${journal.firstSeq}, and the model served knows records up to ${position} only`,
      {
        remedy:
          'Serve the checkpoint that the service wrote when it was last stopped, or begin with a fresh --state.',
      },
    );
  }
  if (position > journal.lastSeq) {
    throw new RecsysError(
      'JOURNAL_DAMAGED',
      `the snapshot is at record ${position}, but the journal ends at ${journal.lastSeq}`,
      {
        remedy:
          'Restore the end of the journal from a copy; or remove `snapshot` from the state directory, and what the journal still has is replayed.',
      },
    );
  }
  const total = journal.lastSeq - position;
  if (total > 0) context.log('info', `replaying ${total} journal records`, { from: position + 1 });
  queue.hold();
  const kept = new KeptStates(
    position,
    await rollbacksIn(journal.read(position + 1, ROLLBACK), learns),
    replay.stored,
  );
  await kept.pass(position, () => guard.learned());
  let lost = 0;
  let since = performance.now();
  let other = 0;
  for await (const { seq, record: raw } of journal.read(position + 1)) {
    const record = parseRecord(seq, raw);
    if (context.signal.aborted) throw new RecsysError('INTERRUPTED', 'stopped while replaying the journal');
    replay.apply(seq, record);
    if (record.type === 'lost') lost++;
    const own = learns(seq);
    if (record.type === 'learn') await queue.replay(record.through, own);
    // What was taken back of another checkpoint's learning was never learned here.
    if (isControl(record) && (own || record.type !== 'rollback'))
      guard.apply(record, seq, record.type === 'rollback' ? await kept.at(record.to) : undefined);
    await kept.pass(seq, () => guard.learned());
    if (record.type === 'outcome' && !queue.confirm(record) && own) other++;
    // What was learned before without the user is not what it was with them.
    if (record.type === 'erase') other = 0;
    if (performance.now() - since > SLICE_MS) {
      await turn();
      since = performance.now();
    }
    if (seq % 1000 === 0) context.progress({ task: 'replay', done: seq - position, total });
  }
  if (lost > 0) context.log('warn', `${lost} journal records were lost before a repair`, { lost });
  if (other > 0) {
    context.log(
      'warn',
      `${other} updates did not end as the journal says they did: the model is not the one that was served`,
      { updates: other },
    );
  }
}
