import { selectBackend } from '../compute/select.js';
import { RecsysError } from '../errors.js';
import type { HistoryCounts } from '../evaluation/histories.js';
import { estimateOffPolicy, type OffPolicyEstimate } from '../evaluation/off-policy/estimate.js';
import { ESTIMATORS } from '../evaluation/off-policy/estimators.js';
import { readServedLists, type ServedList } from '../evaluation/off-policy/log.js';
import { offPolicySchema } from '../evaluation/off-policy/schema.js';
import { asTarget } from '../evaluation/off-policy/target.js';
import { readCheckpoint } from '../storage/checkpoint.js';
import { linesOf } from './histories.js';
import { intervalText } from './interval-text.js';
import { defineStage } from './stage.js';
import { textTable } from './table.js';

/** `recsys off-policy --log impressions.jsonl --model checkpoint` */
export default defineStage({
  name: 'off-policy',
  describe: 'estimate what a checkpoint would have earned, from lists that were served',
  schema: offPolicySchema,
  flags: {
    log: {
      key: 'log',
      describe: 'lists that were served, as `recsys impressions` writes them',
      type: 'string',
    },
    model: {
      key: 'model',
      describe: 'checkpoint whose lists are to be estimated',
      type: 'string',
      stdin: true,
    },
    policy: { key: 'policy.kind', describe: 'none, epsilon-greedy, softmax or thompson', type: 'string' },
    behaviour: {
      key: 'behaviours',
      describe: 'events that count as a success (may be repeated); default: all',
      type: 'strings',
    },
    weighting: { key: 'weighting', describe: 'cascade or place', type: 'string' },
    allow: {
      key: 'allow',
      describe: 'take lists that are marked estimated or reranked (may be repeated)',
      type: 'strings',
    },
  },
  async run(run) {
    const { config } = run;
    const started = performance.now();
    const log = { fallbacks: 0 };
    const lists: ServedList[] = [];
    for await (const list of readServedLists(linesOf(config.log), config.log, config.allow, log))
      lists.push(list);
    if (lists.length === 0)
      throw new RecsysError('DATA_EMPTY', `${config.log} has no list that a model made`, {
        remedy: 'Serve with `exploration.log: true`, and export the lists with `recsys impressions`.',
      });
    const checkpoint = await readCheckpoint(config.model);
    await selectBackend(config.backend);
    const { restoreModel } = await import('../model/restore.js');
    const { modelScorer } = await import('../model/scorer.js');
    const restored = restoreModel(checkpoint);
    const scorer = modelScorer(restored);
    const counts: HistoryCounts = { unknownItems: 0, unknownBehaviours: 0 };
    const found = await asTarget(lists, scorer, restored.catalogue, config, counts).finally(() =>
      scorer.dispose(),
    );
    const estimate = estimateOffPolicy(found, { ...config, resamples: config.bootstrap.resamples });
    if (counts.unknownItems > 0)
      run.log(
        'warn',
        `${counts.unknownItems} times an item of a history or a pool is one that the model does not know`,
      );
    if (estimate.coverage.high < 0.95 || estimate.coverage.low > 1.05)
      run.log(
        'warn',
        `the weights of first places have a mean of ${intervalText(estimate.coverage)}, not 1: the lists hardly hold what this policy would show, or their propensities are wrong. Do not trust the estimates`,
      );
    return {
      metrics: Object.fromEntries(ESTIMATORS.map((name) => [name, estimate.estimates[name].mean])),
      ...estimate,
      leftOut: { fallbacks: log.fallbacks },
      seconds: (performance.now() - started) / 1000,
      text: explained(estimate, log.fallbacks),
    };
  },
});

const NAMES = { ips: 'IPS', snips: 'SNIPS', dr: 'DR' } as const;

function explained(estimate: OffPolicyEstimate, fallbacks: number): string {
  const { lists, users, logged, estimates, effectiveSize, largestWeight, coverage, intervals } = estimate;
  const rows = [
    ['as logged', intervalText(logged)],
    ...ESTIMATORS.map((name) => [NAMES[name], intervalText(estimates[name])]),
  ];
  const by =
    intervals === 'bootstrap' ? 'bootstrap over users' : 'normal approximation over lists: users are few';
  return [
    `${lists} lists of ${users} users${fallbacks > 0 ? ` (${fallbacks} that a fallback made are left out)` : ''}; successes a list, with 95 % intervals (${by})`,
    '',
    textTable(['estimate', 'successes a list'], rows),
    '',
    `effective size ${effectiveSize.toFixed(1)}, largest weight ${largestWeight.toPrecision(3)}, mean weight of first places ${intervalText(coverage)}`,
  ].join('\n');
}
