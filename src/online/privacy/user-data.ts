import { rm } from 'node:fs/promises';
import type { z } from 'zod';
import type { Dataset } from '../../data/dataset.js';
import type { residualSchema } from '../../protocol/users.js';
import { writeFileAtomic } from '../../storage/atomic.js';
import type { Checkpoint } from '../../storage/checkpoint.js';
import { diskError, kindOf, sync } from '../../storage/disk.js';
import type { StageContext } from '../../types.js';
import type { GoodState } from '../guard/good.js';
import type { ImpressionLog } from '../impressions/log.js';
import type { ServiceMetrics } from '../metrics.js';
import type { Retrieval } from '../retrieval/retrieval.js';
import type { RecommenderService } from '../service.js';
import type { OnlineState } from '../snapshot.js';
import type { Snapshots } from '../snapshots.js';
import { erasingPath, impressionsPath } from '../state-directory.js';
import { attributesOf } from './attributes.js';
import { eraseFromDisk, isCompacted, type Reach } from './disk.js';
import { erasedNumbers, intentsIn } from './erased-events.js';
import { knownEvents } from './known-events.js';
import { type KnownImpressions, knownImpressions } from './known-impressions.js';

export interface UserDataOptions {
  readonly service: RecommenderService;
  readonly snapshots: Snapshots;
  readonly good: GoodState;
  /** State directory. */
  readonly state: string;
  /** The checkpoint named by the settings, and its state where it was itself served. */
  readonly base: Checkpoint;
  readonly baseState: OnlineState | undefined;
  readonly data: Dataset | undefined;
  /** The log of impressions, where the service writes to it. */
  readonly impressions?: ImpressionLog | undefined;
  /** The index of items' vectors, where there is one. */
  readonly retrieval?: Pick<Retrieval, 'suspend'> | undefined;
  readonly metrics: Pick<ServiceMetrics, 'rebuildDue'>;
  readonly log: StageContext['log'];
}

export type Residual = z.output<typeof residualSchema>;

export interface Erasure {
  /** Events that were in the journal. */
  readonly events: number;
  /** Lists that were in the log of impressions. */
  readonly impressions: number;
  /** Whether what is served is already what it would be without the user, or will be once it is rebuilt. */
  readonly rebuilt: 'now' | 'scheduled';
  /** Where something of the user may be left, and what to do about it. */
  readonly residual: readonly Residual[];
}

/** Lists in an answer that has more than these. */
const FIRST_LISTS = 100;

/** Everything known of single users: told, and erased. */
export class UserData {
  constructor(private readonly options: UserDataOptions) {}

  /** What is known of a user, with at most `limit` of the events after number `after`. */
  async known(user: string, after: number, limit: number) {
    const { service, base, data, snapshots } = this.options;
    // No segment may be deleted while they are read.
    const { events, next } = await snapshots.exclusive(() =>
      knownEvents(service.users.directory, { user, after, limit }),
    );
    const { history, ...held } = service.users.of(user);
    const first = after > 0 ? undefined : await this.impressions(user, 0, FIRST_LISTS);
    return {
      events,
      next,
      journal: service.users.records,
      ...(first ? { history, impressions: first.impressions, nextImpressions: first.next } : {}),
      ...held,
      checkpoint: {
        known: this.inCheckpoint(user),
        attributes: attributesOf(base.catalogue, user),
      },
      dataset: data ? data.catalogue.users.includes(user) : null,
    };
  }

  /** Lists that were served to a user, at most `limit`, after number `after` of their log. */
  async impressions(user: string, after: number, limit: number): Promise<KnownImpressions> {
    const { impressions: open, snapshots } = this.options;
    const directory = impressionsPath(this.options.state);
    if ((await kindOf(directory)) !== 'directory') return { impressions: [], next: null };
    const read = () => knownImpressions(directory, { user, after, limit });
    return snapshots.exclusive(() => (open ? open.undisturbed(read) : read()));
  }

  /**
   * Erases a user. Once the first record is in the journal it will be completed, at the next start at the latest. What is held of the user is gone when it
   * resolves; the shared weights are to be rebuilt, and until then no snapshot is taken: it would hold what was learned of them.
   * @throws ReplyError STORAGE, NOT_READY before anything has happened · RecsysError DISK where it could not be completed
   */
  erase(user: string): Promise<Erasure> {
    const { snapshots, good, state } = this.options;
    return snapshots
      .exclusive(() => good.exclusive(() => this.erased(user)))
      .catch((error) => {
        throw diskError(error, state);
      });
  }

  private async erased(user: string): Promise<Erasure> {
    const { service, snapshots, state, impressions, log } = this.options;
    const { users } = service;
    const held = users.has(user) || snapshots.suspended;
    const marker = erasingPath(state);
    const open = (await kindOf(marker)) !== 'none';
    await writeFileAtomic(marker, '');
    const intent = await users.forget(user).catch(async (error) => {
      // Nothing has happened.
      if (!open) await rm(marker, { force: true });
      throw error;
    });
    if (held) await this.suspend();
    const closed = await users.closed();
    const { reach } = this;
    const site = { state, closed, reach, impressions, log };
    // Those before that could not be completed: the mark stands for all.
    const others = open ? (await intentsIn(closed)).filter((other) => other.user !== intent.user) : [];
    for (const other of others) await eraseFromDisk(other, site, true);
    const found = await eraseFromDisk(intent, site, held);
    const { ids, touched } = found;
    const erased = await erasedNumbers(closed);
    users.forgetEvents((seq) => erased.has(seq) || (isCompacted(reach) && seq < reach.firstSeq), ids);
    await rm(marker, { force: true });
    await sync(state);
    if (touched) await this.suspend();
    log('info', `a user was erased: ${ids.size} events`, { seq: intent.seq });
    return {
      events: ids.size,
      impressions: found.impressions,
      rebuilt: touched ? 'scheduled' : 'now',
      residual: this.residual(user),
    };
  }

  /** What is served is from now on not what a replay makes of the journal. */
  private async suspend(): Promise<void> {
    const { snapshots, good, metrics, retrieval } = this.options;
    snapshots.suspend();
    await retrieval?.suspend();
    if (!isCompacted(this.reach)) good.forget();
    metrics.rebuildDue.set(1);
  }

  private get reach(): Reach {
    const { service, baseState } = this.options;
    const base = baseState?.journalId === service.journalId ? baseState.state.position : 0;
    return { firstSeq: service.users.records.first, base };
  }

  private inCheckpoint(user: string): boolean {
    const { base, baseState } = this.options;
    const served = baseState?.state;
    return (
      base.catalogue.users.indexOf(user, 1) > 0 ||
      (served?.histories.users.includes(user) ?? false) ||
      Object.values(served?.offsets ?? {}).some(({ users }) => users.includes(user))
    );
  }

  private residual(user: string): Residual[] {
    const { base, data } = this.options;
    const { reach } = this;
    const left: Residual[] = [];
    if (isCompacted(reach))
      left.push({
        where: 'weights',
        message: `the journal begins with record ${reach.firstSeq}: what was learned of the user before, if anything, is in weights that all share, in popularity and in hashes of events`,
        remedy: 'Train a checkpoint without the user, and serve it with a fresh state directory.',
      });
    if (this.inCheckpoint(user))
      left.push({
        where: 'checkpoint',
        message: `${base.path} was trained on the user or has served them; snapshots copy its list of users`,
        remedy:
          'Take the user out of the raw data, run the stages that made it (`recsys prepare` first), and serve what comes of it with a fresh state directory.',
      });
    if (data?.catalogue.users.includes(user))
      left.push({
        where: 'dataset',
        message: `${data.path} has events of the user, which are their history again once the state is rebuilt, or from the next start on`,
        remedy: 'Take the user out of the raw data and run `recsys prepare` again.',
      });
    return left;
  }
}
