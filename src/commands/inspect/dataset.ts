import { join } from 'node:path';
import { DATASET_FORMAT, datasetManifestSchema } from '../../data/manifest.js';
import { RecsysError } from '../../errors.js';
import { formatCount } from '../../report/format.js';
import type { StageContext } from '../../types.js';
import { type Explanation, verified } from './explanation.js';

const partsOf = (counts: Record<'train' | 'validation' | 'test', number>): string =>
  (['train', 'validation', 'test'] as const).map((part) => `${formatCount(counts[part])} ${part}`).join(', ');

export async function explainDataset(
  dir: string,
  value: unknown,
  context: StageContext,
): Promise<Explanation> {
  const version = (value as { formatVersion?: unknown }).formatVersion;
  if (typeof version === 'number' && version > DATASET_FORMAT) {
    throw new RecsysError(
      'DATASET_DAMAGED',
      `${dir}: dataset format ${version}; this recsys reads formats up to ${DATASET_FORMAT}`,
      {
        remedy: 'Use a recsys at least as new as the one that prepared it.',
      },
    );
  }
  const parsed = datasetManifestSchema.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new RecsysError('DATASET_DAMAGED', `${join(dir, 'manifest.json')}: ${issues.join('; ')}`);
  }
  const manifest = parsed.data;
  const { counts, split, behaviours, attributes, ties, impressions } = manifest;
  const files = await verified(dir, manifest.files, 'DATASET_DAMAGED', context);
  const named = (types: Readonly<Record<string, string>>) =>
    Object.entries(types)
      .map(([name, type]) => `${name} (${type})`)
      .join(', ') || 'none';
  const parameters = Object.entries(split.parameters).map(
    ([name, setting]) => `${name} ${JSON.stringify(setting)}`,
  );
  return {
    kind: 'dataset',
    summary: `Dataset ${manifest.name}: ${formatCount(counts.interactions)} interactions of ${formatCount(counts.users)} users with ${formatCount(counts.items)} items`,
    sections: [
      {
        title: 'Rows',
        body: [
          ...manifest.funnel.map(({ step, rows }) => [step, formatCount(rows)] as const),
          ['train', formatCount(counts.train)],
          ['validation', formatCount(counts.validation)],
          ['test', formatCount(counts.test)],
          ['rejected', formatCount(counts.rejected)],
        ],
      },
      {
        title: 'Protocol',
        body: [
          ['split', [split.kind, ...parameters].join(', ')],
          ['order', split.order],
          ['catalogue', split.catalogue],
          ['time', manifest.time],
          ['tied at the last time', `${formatCount(ties.usersTiedAtLast)} users`],
        ],
      },
      {
        title: 'Contents',
        body: [
          ...(impressions ? [['impressions', partsOf(impressions)] as const] : []),
          ['behaviours', behaviours.map(({ name, weight }) => `${name} (weight ${weight})`).join(', ')],
          ['item attributes', named(attributes.items)],
          ['user attributes', named(attributes.users)],
        ],
      },
      {
        title: 'Origin',
        body: [
          ['with', manifest.createdWith],
          ...(manifest.extends === undefined ? [] : [['extends', manifest.extends] as const]),
          ['fingerprint', manifest.fingerprint],
          ['test set', manifest.testSetHash],
        ],
      },
      files,
    ],
    facts: { manifest, verified: true },
  };
}
