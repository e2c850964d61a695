import { join } from 'node:path';
import { stringify } from 'yaml';
import { CATALOGUE, type ErrorCode, RecsysError } from '../../errors.js';
import { writeFileAtomic } from '../../storage/atomic.js';
import { isValid, type Trial } from './plan.js';
import type { Results } from './results.js';

/** All settings of the best trial, for `recsys <stage> --config`. */
export const BEST = 'best.yaml';

/** @throws RecsysError of the first trial that failed, where none is done */
export async function writeBest(out: string, results: Results, trials: readonly Trial[]): Promise<void> {
  const best = results.trials.find(({ trial }) => trial === results.best);
  const planned = trials.find(({ number }) => number === results.best);
  if (best === undefined || planned === undefined || !isValid(planned)) throw withoutBest(results);
  const { stage, metric, version } = results;
  const text = stringify(planned.settings.config, { compat: 'yaml-1.1' });
  await writeFileAtomic(
    join(out, BEST),
    `# Trial ${best.trial} of ${trials.length}: ${metric} ${best.value} on the validation rows, epoch ${best.epoch}, recsys ${version}.\n# recsys ${stage} --config ${BEST}\n${text}`,
  );
}

function withoutBest({ trials }: Results): RecsysError {
  const failed = trials.filter(({ status }) => status === 'failed');
  const [first] = failed;
  const all =
    failed.length === trials.length ? `all ${trials.length} trials failed` : 'no trial was finished';
  const { code = 'INTERNAL', message = 'no score', remedy } = first?.error ?? {};
  const known = Object.hasOwn(CATALOGUE, code) ? (code as ErrorCode) : 'ENVIRONMENT';
  const what = first === undefined ? all : `${all}; trial ${first.trial}: ${message}`;
  return new RecsysError(known, what, {
    remedy: remedy ?? `What a trial said is in trials/${first?.trial ?? 1}.log.`,
  });
}
