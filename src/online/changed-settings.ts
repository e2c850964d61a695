/** Settings of learning that say when updates are made, not what they come to: the journal has the boundaries. */
const TIMING = new Set(['learning.batch', 'learning.queue']);

/** What a replay depends on, besides the checkpoint and the journal. */
interface ReplaySettings {
  readonly seed: number;
  /** How the learner computes. */
  readonly arithmetic?: string;
  readonly learning?: object;
  readonly clicks?: { readonly enabled: boolean };
  readonly retention?: { readonly history?: number; readonly userDays?: number; readonly itemDays?: number };
}

/**
 * Settings that are not what they were when a snapshot was taken, as `name: before → now`: what the snapshot holds was learned with the old
 * ones, and a replay of the whole journal would use the new ones for all of it.
 */
export function changedSettings(before: ReplaySettings, now: ReplaySettings): string[] {
  const [old, fresh] = [before, now].map(
    ({ seed, arithmetic, learning = {}, clicks, retention }) =>
      new Map<string, unknown>([
        ['seed', seed],
        ['arithmetic', arithmetic],
        ...flat(learning, 'learning'),
        ...(clicks?.enabled ? flat(clicks, 'clicks') : []),
        ['retention.history', retention?.history],
        ['retention.userDays', retention?.userDays],
        ['retention.itemDays', retention?.itemDays],
      ]),
  ) as [Map<string, unknown>, Map<string, unknown>];
  const shown = (value: unknown): unknown => value ?? 'none';
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((name) => !TIMING.has(name) && old.get(name) !== fresh.get(name))
    .map((name) => `${name}: ${shown(old.get(name))} → ${shown(fresh.get(name))}`);
}

function flat(of: object, prefix: string): [string, unknown][] {
  return Object.entries(of).flatMap(([key, value]): [string, unknown][] => {
    const name = `${prefix}.${key}`;
    return typeof value === 'object' && value !== null ? flat(value, name) : [[name, value]];
  });
}
