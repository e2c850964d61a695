import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ItemMeans } from '../../../src/evaluation/off-policy/direct.js';
import type { LoggedList } from '../../../src/evaluation/off-policy/estimators.js';

interface Row {
  readonly item: string;
  readonly position: string;
  readonly click: number;
  readonly propensity: number;
  /** The four hashed features: as near to a user as the data has. */
  readonly user: string;
}

/** One campaign's log of one policy (Saito et al. 2021). */
async function rowsOf(folder: string, policy: 'random' | 'bts', campaign: string): Promise<Row[]> {
  const file = join(folder, policy, campaign, `${campaign}.csv.gz`);
  const [header, ...lines] = gunzipSync(await readFile(file))
    .toString('utf8')
    .trim()
    .split('\n');
  const names = header!.split(',');
  const at = (name: string) => names.indexOf(name);
  const user = at('user_feature_0');
  return lines.map((line) => {
    const cells = line.split(',');
    return {
      item: cells[at('item_id')]!,
      position: cells[at('position')]!,
      click: Number(cells[at('click')]),
      propensity: Number(cells[at('propensity_score')]),
      user: cells.slice(user, user + 4).join(' '),
    };
  });
}

/**
 * What was shown uniformly at random, as the learned policy (Thompson sampling) would have shown it, and what that earned on its own traffic. How often it
 * shows an item at a position is taken from its own log: its propensities change from day to day.
 */
export async function openBandit(folder: string, campaign: string) {
  const [random, learned] = await Promise.all([
    rowsOf(folder, 'random', campaign),
    rowsOf(folder, 'bts', campaign),
  ]);
  const shown = new Map<string, Map<string, number>>();
  for (const { position, item } of learned) {
    const items = shown.get(position) ?? new Map<string, number>();
    shown.set(position, items.set(item, (items.get(item) ?? 0) + 1));
  }
  const place = (position: string): number => Number(position) - 1;
  const means = new ItemMeans(
    random.map(({ user, item, position, click }) => ({ user, item, place: place(position), reward: click })),
  );
  const lists = random.map(({ user, item, position, click, propensity }): LoggedList => {
    const items = shown.get(position)!;
    const total = [...items.values()].reduce((sum, one) => sum + one, 0);
    let expectedOfTarget = 0;
    for (const [other, count] of items)
      expectedOfTarget += (count / total) * means.expected(user, other, place(position));
    const step = {
      logged: propensity,
      target: (items.get(item) ?? 0) / total,
      reward: click,
      expected: means.expected(user, item, place(position)),
      expectedOfTarget,
    };
    return { user, steps: [step] };
  });
  const clicks = learned.reduce((sum, { click }) => sum + click, 0);
  return { lists, rate: clicks / learned.length, impressions: learned.length };
}
