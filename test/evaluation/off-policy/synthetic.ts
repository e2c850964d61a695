import { ItemMeans } from '../../../src/evaluation/off-policy/direct.js';
import type { LoggedList } from '../../../src/evaluation/off-policy/estimators.js';
import { Random } from '../../../src/random.js';

const ITEMS = 4;
const LISTS = 400;
/** Click rate of each item; at the second place half of it, and less below an item of its own parity. */
const RATES = [0.15, 0.3, 0.45, 0.8];
const LOGGED = [0.4, 0.3, 0.2, 0.1];
const TARGET = [0.1, 0.2, 0.2, 0.5];

const rate = (item: number, above: number | undefined): number =>
  above === undefined ? RATES[item]! : (RATES[item]! / 2) * (above % 2 === item % 2 ? 0.5 : 1);

/** Probability of an item among those not above it. */
const given = (policy: readonly number[], item: number, above: number | undefined): number =>
  above === undefined ? policy[item]! : policy[item]! / (1 - policy[above]!);

function draw(policy: readonly number[], above: number | undefined, random: Random): number {
  let u = random.uniform();
  let last = 0;
  for (let item = 0; item < ITEMS; item++) {
    if (item === above) continue;
    last = item;
    u -= given(policy, item, above);
    if (u < 0) break;
  }
  return last;
}

/** Lists of two places that one policy showed to 100 users, as another sees them, and what that would earn in truth. */
export function syntheticBandit(seed: number): { lists: LoggedList[]; truth: number } {
  const random = Random.of(seed, 'bandit');
  const shown = Array.from({ length: LISTS }, (_, n) => {
    const first = draw(LOGGED, undefined, random);
    const items = [first, draw(LOGGED, first, random)];
    const rewards = items.map((item, i) =>
      random.uniform() < rate(item, i === 0 ? undefined : first) ? 1 : 0,
    );
    return { user: `u${n % 100}`, items, rewards };
  });
  const means = new ItemMeans(
    shown.flatMap(({ user, items, rewards }) =>
      items.map((item, place) => ({ user, item: `${item}`, place, reward: rewards[place]! })),
    ),
  );
  const lists = shown.map(({ user, items, rewards }) => ({
    user,
    steps: items.map((item, place) => {
      const above = place === 0 ? undefined : items[0]!;
      let expectedOfTarget = 0;
      for (let other = 0; other < ITEMS; other++)
        if (other !== above)
          expectedOfTarget += given(TARGET, other, above) * means.expected(user, `${other}`, place);
      return {
        logged: given(LOGGED, item, above),
        target: given(TARGET, item, above),
        reward: rewards[place]!,
        expected: means.expected(user, `${item}`, place),
        expectedOfTarget,
      };
    }),
  }));
  return { lists, truth: truth() };
}

function truth(): number {
  let value = 0;
  for (let first = 0; first < ITEMS; first++) {
    value += TARGET[first]! * rate(first, undefined);
    for (let second = 0; second < ITEMS; second++)
      if (second !== first) value += TARGET[first]! * given(TARGET, second, first) * rate(second, first);
  }
  return value;
}
