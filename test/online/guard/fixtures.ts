import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { restoreModel } from '../../../src/model/restore.js';
import { withRoom } from '../../../src/model/room.js';
import { onlyBase } from '../../../src/online/checkpoints/base.js';
import type { OnlineEvent } from '../../../src/online/events.js';
import { frozenModel } from '../../../src/online/frozen.js';
import { GoodState } from '../../../src/online/guard/good.js';
import { TENSORS } from '../../../src/online/learner.js';
import { serveLearner } from '../../../src/online/learners.js';
import { finishErasures } from '../../../src/online/privacy/disk.js';
import { UserData } from '../../../src/online/privacy/user-data.js';
import { learningSchema, retentionSchema } from '../../../src/online/schema.js';
import { readOnlineState } from '../../../src/online/snapshot.js';
import { Snapshots } from '../../../src/online/snapshots.js';
import { goodPath, newestState } from '../../../src/online/state-directory.js';
import { readCheckpoint } from '../../../src/storage/checkpoint.js';
import { NOW, type Overrides, recordingContext, startService } from '../fixtures.js';

/** A service of a real checkpoint in a state directory, as `serve` puts it together, without HTTP. */
export async function startGuarded(model: string, state: string, overrides: Overrides = {}) {
  const context = recordingContext();
  const checkpoint = await readCheckpoint(model);
  const learning = learningSchema.parse({
    learningRate: 0.1,
    batch: 3,
    user: { rate: 0.05 },
    ...overrides.learning,
  });
  await mkdir(state, { recursive: true });
  const base = onlyBase(checkpoint);
  await finishErasures(state, base, context.log);
  const baseState = await readOnlineState(checkpoint);
  const { source, online = baseState } = await newestState(state, base, null, context);
  const known = source.catalogue.items.length;
  const restored = withRoom(restoreModel(source), checkpoint.catalogue.items.length + 5, 7, 'here');
  const learner = serveLearner(restored, { ...learning, loss: learning.loss ?? 'softmax' }, 7, {
    optimizer: online?.optimizerState,
    introduced: online?.introduced,
    known,
  });
  const facts = {
    base: base.eras,
    data: null,
    optimizer: learning.optimizer,
    arithmetic: learner.arithmetic ?? TENSORS,
    rows: restored.catalogue.items.length,
  };
  const good = await GoodState.open(goodPath(state), facts, context.log);
  const { service, metrics } = await startService(join(state, 'journal'), {
    context,
    catalogue: restored.catalogue,
    known,
    base: checkpoint.catalogue.items.length,
    learner,
    frozen: frozenModel(restoreModel(checkpoint)),
    good,
    ...(online ? { from: online } : {}),
    ...overrides,
    learning,
  });
  const snapshots = new Snapshots(
    service,
    {
      ...facts,
      base: checkpoint,
      baseId: base.eras.id,
      baseVersion: 'base',
      config: {},
      data: undefined,
      dataPart: 'test',
      state,
      seed: 7,
      retention: retentionSchema.parse({}),
      good,
      backend: { name: 'cpu', device: 'cpu', threads: 1 } as never,
      from: online?.state.position ?? 0,
      trainedBefore: new BigUint64Array(),
    },
    context,
  );
  const users = new UserData({
    service,
    snapshots,
    good,
    state,
    base: checkpoint,
    baseState,
    data: undefined,
    metrics,
    impressions: overrides.serving?.impressions,
    log: context.log,
  });
  return { service, learner, metrics, snapshots, users, lines: context.lines };
}

export type Guarded = Awaited<ReturnType<typeof startGuarded>>;

/** What a killed process leaves: the files as they are, those that `keep` lets through. */
export async function killed(state: string, to: string, keep: (path: string) => boolean = () => true) {
  await cp(state, to, { recursive: true, filter: keep });
  return to;
}

/** Everything that is a function of the journal, as bytes. */
export async function bitsOf({ service }: Guarded): Promise<Record<string, string>> {
  await service.idle();
  const { state, learner } = await service.snapshot();
  const tensors = [
    ...learner.parameters,
    ...[...learner.optimizer].map(([name, one]) => [`optimizer/${name}`, one] as const),
    ...Object.values(state.offsets).flatMap(({ tensors }) => [...tensors]),
    ...state.histories.tensors,
    ...(state.items ?? []),
    ...(state.clicks?.tensors ?? []),
  ];
  const hex = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
    Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('hex');
  return {
    ...Object.fromEntries(tensors.map(([name, { data }]) => [name, hex(data)])),
    popularity: hex(state.popularity),
    facts: JSON.stringify({ ...state.queue, ...state.learning, ids: state.ids, position: state.position }),
    lists: JSON.stringify(
      await Promise.all(
        ['user0', 'user1', 'u3'].map(
          async (user) => (await service.recommend({ user, includeSeen: true })).items,
        ),
      ),
    ),
  };
}

/** Events that differ from number to number. */
export function events(from: number, count: number, of: Partial<OnlineEvent> = {}): OnlineEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `e${from + i}`,
    user: `user${(from + i) % 4}`,
    item: `i${(((from + i) * 11) % 40) + 1}`,
    behaviour: 'view',
    time: NOW + from + i,
    ...of,
  }));
}
