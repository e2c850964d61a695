import { readCheckpoint } from '../../storage/checkpoint.js';
import type { HostTensor, TensorMap } from '../../types.js';
import { withoutUser } from '../guard/user-budget.js';
import { seenOf } from '../last-seen.js';
import { packHistories, unpackHistories } from '../packed-histories.js';
import { type OnlineState, onlineFiles, readOnlineState } from '../snapshot.js';
import type { OffsetSnapshot } from '../user-adaptation.js';
import type { UserSnapshot } from '../users.js';
import { ERASED } from './erasure-records.js';
import { rewriteSnapshot } from './rewritten-snapshot.js';

/**
 * Takes a user out of a snapshot in place: history, own weights, budget, events that wait, ids of events. What the weights that all share
 * have learned stays: it cannot be told apart.
 * @param gone which events' ids are forgotten, by their numbers
 */
export async function scrubSnapshot(
  path: string,
  user: string,
  gone: (seq: number) => boolean,
): Promise<void> {
  const online = await readOnlineState(await readCheckpoint(path));
  if (!online) return;
  await rewriteSnapshot(path, onlineFiles(without(online, user, gone)));
}

function without(online: OnlineState, user: string, gone: (seq: number) => boolean): OnlineState {
  const { state } = online;
  const { ids, seqs } = state.ids;
  const kept = seqs.flatMap((seq, i) => (gone(seq) ? [] : [i]));
  return {
    ...online,
    state: {
      ...state,
      histories: historiesWithout(state.histories, user),
      offsets: Object.fromEntries(
        Object.entries(state.offsets).map(([name, one]) => [name, offsetsWithout(one, name, user)]),
      ),
      ids: { ids: kept.map((i) => ids[i]!), seqs: kept.map((i) => seqs[i]!) },
      learning: { ...state.learning, budget: withoutUser(state.learning.budget, user) },
      queue: {
        ...state.queue,
        waiting: state.queue.waiting.map((one) =>
          ('event' in one ? one.event.user : one.user) === user
            ? { seq: one.seq, reason: ERASED, user: '' }
            : one,
        ),
      },
    },
  };
}

function historiesWithout({ users, tensors }: UserSnapshot, user: string): UserSnapshot {
  const keeps = { times: tensors.has('history.times'), values: tensors.has('history.values') };
  const all = unpackHistories('history', tensors, keeps);
  const rows = rowsWithout(users, user);
  const kept = packHistories(
    'history',
    rows.map((row) => all[row]!),
    keeps,
  );
  return {
    users: rows.map((row) => users[row]!),
    tensors: new Map([...kept, ...seenOf('history', tensors, rows)]),
  };
}

function offsetsWithout({ users, tensors }: OffsetSnapshot, name: string, user: string): OffsetSnapshot {
  const key = `${name}.offsets`;
  const { data, shape } = tensors.get(key)!;
  const width = shape[1]!;
  const rows = rowsWithout(users, user);
  const kept = new Float32Array(rows.length * width);
  for (const [at, row] of rows.entries())
    kept.set((data as Float32Array).subarray(row * width, (row + 1) * width), at * width);
  const tensor: HostTensor = { dtype: 'F32', shape: [rows.length, width], data: kept };
  const shared = [...tensors].filter(([one]) => one === `${name}.trend`);
  const own: TensorMap = new Map([[key, tensor], ...seenOf(name, tensors, rows), ...shared]);
  return { users: rows.map((row) => users[row]!), tensors: own };
}

const rowsWithout = (users: readonly string[], user: string): number[] =>
  users.flatMap((one, i) => (one === user ? [] : [i]));
