import { Random } from '../../random.js';
import { FAILPOINTS, type Failpoint, failingAt } from '../../storage/failpoints.js';
import type { ChildOptions } from './child.js';
import type { ChaosConfig } from './schema.js';

/** How one life of the service is to end: by a kill from outside at some moment, or by its own hand at a named one. */
export interface Death {
  readonly failpoint?: { readonly name: Failpoint; readonly nth: number };
}

/** Snapshots and segments that come often, so that all named moments do. */
const OFTEN = ['--set', 'retention.snapshotMinutes=0.02', '--set', 'retention.segmentBytes=65536'];
/** Moments that come with every group of records, and those that come with snapshots and segments. */
const [FREQUENT, SELDOM] = [40, 2];

/** Named moments that come by themselves: nobody has a service under chaos take up another checkpoint. */
export const PASSED = (Object.keys(FAILPOINTS) as Failpoint[]).filter(
  (name) => !name.startsWith('checkpoint.'),
);

/** The ends of all lives: `kills` at random moments, then `failpoints` at each named one. */
export function deaths({ kills, failpoints, seed }: ChaosConfig): readonly Death[] {
  const names = Array.from({ length: failpoints }, () => PASSED).flat();
  const random = Random.of(seed, 'failpoints');
  return [
    ...Array.from({ length: kills }, () => ({})),
    ...names.map((name) => {
      const often = /^(output\.|journal\.rolled)/.test(name) ? SELDOM : FREQUENT;
      return { failpoint: { name, nth: 1 + random.int(often) } };
    }),
  ];
}

/** How a service is started that is to end so. */
export function startedFor({ failpoint }: Death, options: ChildOptions): ChildOptions {
  if (!failpoint) return options;
  const { name, nth } = failpoint;
  return { ...options, flags: [...options.flags, ...OFTEN], env: failingAt(name, nth) };
}
