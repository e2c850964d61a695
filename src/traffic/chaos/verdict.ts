import { journalRecords } from '../../online/journal/check.js';
import { parseRecord } from '../../online/records.js';
import { readOnlineState } from '../../online/snapshot.js';
import { readCheckpoint } from '../../storage/checkpoint.js';

/** What a journal says of the events of a storm; ids where something is wrong. */
export interface JournalFindings {
  /** Events of the storm in the journal, each id counted once. */
  readonly events: number;
  /** Acknowledged and not in the journal. */
  readonly lost: readonly string[];
  /** In the journal more than once. */
  readonly repeated: readonly string[];
  /** Acknowledged with another number than the one it has. */
  readonly moved: readonly string[];
  /** In the journal and never acknowledged, though all were sent until they were. */
  readonly unacknowledged: readonly string[];
  /** In no update. */
  readonly unlearned: readonly string[];
  /** Updates recorded that no event was left for, or that go back: events would be learned twice. */
  readonly emptyUpdates: number;
  /** Records that a repair could not save. */
  readonly lostRecords: number;
}

/** Compares a journal with what was acknowledged: every event once, under the number that was answered, and in one update. */
export async function examineJournal(
  directory: string,
  acknowledged: ReadonlyMap<string, number>,
  run: string,
): Promise<JournalFindings> {
  const seen = new Map<string, number>();
  const repeated: string[] = [];
  const events: { readonly seq: number; readonly id: string }[] = [];
  let [learned, emptyUpdates, lostRecords] = [0, 0, 0];
  for await (const { seq, record: raw } of journalRecords(directory)) {
    const record = parseRecord(seq, raw);
    if (record.type === 'lost') lostRecords++;
    if (record.type === 'event') {
      events.push({ seq, id: record.id });
      if (!record.id.startsWith(`${run}-`)) continue;
      if (seen.has(record.id)) repeated.push(record.id);
      else seen.set(record.id, seq);
    }
    if (record.type === 'learn') {
      const before = learned;
      while (learned < events.length && events[learned]!.seq <= record.through) learned++;
      if (learned === before) emptyUpdates++;
    }
  }
  const ids = [...acknowledged.keys()];
  return {
    events: seen.size,
    lost: ids.filter((id) => !seen.has(id)),
    repeated,
    moved: ids.filter((id) => seen.has(id) && seen.get(id) !== acknowledged.get(id)),
    unacknowledged: [...seen.keys()].filter((id) => !acknowledged.has(id)),
    unlearned: events.slice(learned).map(({ id }) => id),
    emptyUpdates,
    lostRecords,
  };
}

/** What of two snapshots was compared, and what of it is not the same bits. */
export interface StateFindings {
  readonly tensors: number;
  readonly different: readonly string[];
}

/**
 * Compares everything that makes up two served checkpoints, bit by bit: parameters, optimizer state, histories, popularity, the events learned.
 * @throws what reading a checkpoint throws
 */
export async function compareStates(one: string, other: string): Promise<StateFindings> {
  const [a, b] = [await partsOf(one), await partsOf(other)];
  const names = [...new Set([...a.keys(), ...b.keys()])];
  const different = names.filter((name) => {
    const [left, right] = [a.get(name), b.get(name)];
    return left === undefined || right === undefined || !left.equals(right);
  });
  return { tensors: names.length, different };
}

async function partsOf(path: string): Promise<Map<string, Buffer>> {
  const checkpoint = await readCheckpoint(path);
  const online = await readOnlineState(checkpoint);
  const parts = new Map<string, Buffer>();
  const add = (name: string, { shape, data }: { shape: readonly number[]; data: ArrayBufferView }): void => {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    parts.set(name, Buffer.concat([Buffer.from(`${shape.join(' ')}\n`), bytes]));
  };
  for (const [name, tensor] of checkpoint.tensors) add(name, tensor);
  add('trained events', { shape: [checkpoint.trainedEvents.length], data: checkpoint.trainedEvents });
  if (online === undefined) return parts;
  const { state, optimizerState } = online;
  for (const [name, tensor] of optimizerState) add(`optimizer/${name}`, tensor);
  for (const [name, tensor] of state.histories.tensors) add(name, tensor);
  const { position, queue, ids, histories } = state;
  const facts = {
    position,
    learned: queue.learned,
    waiting: queue.waiting.length,
    ids,
    users: histories.users,
  };
  parts.set('position, learned, ids and users', Buffer.from(JSON.stringify(facts)));
  return parts;
}
