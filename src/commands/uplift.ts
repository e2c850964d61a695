import { readExperiment } from '../evaluation/experiment/log.js';
import { upliftSchema } from '../evaluation/experiment/schema.js';
import { estimateUplift, type UpliftEstimate } from '../evaluation/experiment/uplift.js';
import type { Interval } from '../evaluation/significance.js';
import { linesOf } from './histories.js';
import { intervalText } from './interval-text.js';
import { defineStage } from './stage.js';
import { textTable } from './table.js';

/** Below this, users did not come to variants as they were dealt (Fabijan et al. 2019 take the same). */
const MISMATCH = 0.001;
/** Users of a variant below which an interval says little. */
const FEW_USERS = 20;

/** `recsys uplift --log impressions.jsonl` */
export default defineStage({
  name: 'uplift',
  describe: 'compare the variants of an experiment by what their lists earned',
  schema: upliftSchema,
  flags: {
    log: {
      key: 'log',
      describe: 'lists that were served, as `recsys impressions` writes them',
      type: 'string',
    },
    experiment: { key: 'experiment', describe: 'name of the experiment', type: 'string' },
    control: { key: 'control', describe: 'variant that the others are compared with', type: 'string' },
    behaviour: {
      key: 'behaviours',
      describe: 'events that count as a success (may be repeated); default: all',
      type: 'strings',
    },
  },
  async run({ config, log }) {
    const started = performance.now();
    const found = await readExperiment(linesOf(config.log), config.log, config);
    const estimate = estimateUplift(found, { ...config, resamples: config.bootstrap.resamples });
    const { sampleRatio, variants, switched } = estimate;
    if (sampleRatio.p < MISMATCH)
      log(
        'warn',
        `users did not come to variants as they were dealt (p = ${sampleRatio.p.toPrecision(2)}): something loses or adds some of one. Do not trust the comparison before it is found`,
      );
    if (switched > 0)
      log(
        'warn',
        `${switched} users had lists of several variants, and are left out: shares, or their pseudonyms, changed`,
      );
    for (const { name, users } of variants)
      if (users < FEW_USERS) log('warn', `users of ${name}: ${users}; its intervals say little`);
    return {
      metrics: Object.fromEntries(variants.map(({ name, perUser }) => [name, perUser.mean])),
      ...estimate,
      seconds: (performance.now() - started) / 1000,
      text: explained(estimate),
    };
  },
});

function explained({ experiment, control, variants, sampleRatio, outside }: UpliftEstimate): string {
  const rows = variants.map(({ name, share, users, lists, perUser, perList, uplift }) => [
    name,
    percent(share),
    String(users),
    String(lists),
    intervalText(perUser),
    intervalText(perList),
    name === control ? '–' : uplift ? relative(uplift.perUser) : 'not known',
  ]);
  return [
    `${experiment}: successes, with 95 % intervals (bootstrap over users); uplift of those a user, beside ${control}`,
    '',
    textTable(['variant', 'share', 'users', 'lists', 'a user', 'a list', 'uplift'], rows),
    '',
    `users as they were dealt: chi-square ${sampleRatio.chiSquare.toFixed(2)}, p = ${sampleRatio.p.toPrecision(2)}${outside > 0 ? `; ${outside} lists of no variant are left out` : ''}`,
  ].join('\n');
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const signed = (share: number): string => `${share < 0 ? '−' : '+'}${percent(Math.abs(share))}`;
const relative = ({ mean, low, high }: Interval): string =>
  `${signed(mean)} [${signed(low)}, ${signed(high)}]`;
