import { join } from 'node:path';
import { stringify } from 'yaml';
import { formatBytes, formatCount, formatMetric } from '../../report/format.js';
import { renderTable } from '../../report/table.js';
import {
  type Checkpoint,
  type CheckpointManifest,
  type LineageEntry,
  readCheckpoint,
  readManifest,
} from '../../storage/checkpoint.js';
import { peekManifest } from '../../storage/manifest.js';
import type { StageContext, StoredMap } from '../../types.js';
import { type Explanation, type Section, short, verified } from './explanation.js';

export async function explainCheckpoint(dir: string, context: StageContext): Promise<Explanation> {
  const { manifest, sha256 } = await readManifest(dir);
  const files = await verified(dir, manifest.files, 'CHECKPOINT_DAMAGED', context);
  const checkpoint = await readCheckpoint(dir);
  const ancestors = await Promise.all(
    manifest.lineage.map(async (entry) => ({ ...entry, now: await stateOf(entry) })),
  );
  const { stage, model, dataset } = manifest;
  return {
    kind: 'checkpoint',
    summary: `Checkpoint of ${stage}: model ${model.name}, ${formatCount(model.parameters)} parameters (${formatBytes(model.bytes)}${model.quantization === undefined ? '' : `, ${model.quantization}`})`,
    sections: [
      { title: 'Lineage', body: lineageTree(manifest, ancestors) },
      {
        title: 'Metrics',
        body: Object.entries(manifest.metrics).map(([name, value]) => [name, formatMetric(value)] as const),
      },
      { title: 'Model', body: stringify(model.config).trimEnd() },
      catalogueSection(checkpoint),
      { title: 'Tensors', body: tensorTable(checkpoint.tensors) },
      origin(manifest, sha256),
      files,
    ],
    facts: {
      manifest,
      manifestSha256: sha256,
      ancestors: ancestors.map(({ stage: name, path, now }) => ({ stage: name, path, now })),
      catalogue: counts(checkpoint),
      trainedEvents: checkpoint.trainedEvents.length,
      tensors: [...checkpoint.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
      dataset: dataset.path,
      verified: true,
    },
  };
}

type Ancestor = LineageEntry & { readonly now: string };

/** Whether an ancestor is still where it was, and still the same. */
async function stateOf({ path, manifestSha256 }: LineageEntry): Promise<string> {
  const found = await peekManifest(path).catch(() => undefined);
  if (found === undefined) return 'no longer there';
  return found.sha256 === manifestSha256 ? 'unchanged' : 'changed since';
}

function lineageTree(manifest: CheckpointManifest, ancestors: readonly Ancestor[]): string {
  const lines: string[] = [];
  const add = (text: string) => {
    const depth = lines.length;
    lines.push(depth === 0 ? text : `${'   '.repeat(depth - 1)}└─ ${text}`);
  };
  let fingerprint: string | undefined;
  const data = (dataset: LineageEntry['dataset']) => {
    const isNew = dataset !== undefined && dataset.fingerprint !== fingerprint;
    fingerprint = dataset?.fingerprint ?? fingerprint;
    return isNew ? `${dataset.name ?? dataset.path} (${short(dataset.fingerprint)})` : undefined;
  };
  const first = data((ancestors[0] ?? manifest).dataset);
  add(`dataset ${first ?? 'unknown'}`);
  for (const { stage, model, path, dataset, now } of ancestors) {
    const on = data(dataset);
    add(
      `${stage}${model === undefined ? '' : ` ${model}`}${on === undefined ? '' : ` on ${on}`}: ${path} (${now})`,
    );
  }
  const on = data(manifest.dataset);
  add(`${manifest.stage} ${manifest.model.name}${on === undefined ? '' : ` on ${on}`}: this checkpoint`);
  return lines.join('\n');
}

function counts({ catalogue }: Checkpoint): Record<string, number> {
  return {
    users: catalogue.users.length - 1,
    items: catalogue.items.length - 1,
    behaviours: catalogue.behaviours.length,
    itemAttributeValues: catalogue.itemFeatures.tokenNames.length - 1,
    itemNumbers: catalogue.itemFeatures.numberNames.length,
    userAttributeValues: catalogue.userFeatures.tokenNames.length - 1,
    userNumbers: catalogue.userFeatures.numberNames.length,
  };
}

function catalogueSection(checkpoint: Checkpoint): Section {
  const { behaviours } = checkpoint.catalogue;
  const n = counts(checkpoint);
  return {
    title: 'Vocabulary',
    body: [
      ['users', formatCount(n.users!)],
      ['items', formatCount(n.items!)],
      ['behaviours', behaviours.join(', ')],
      [
        'attributes',
        `items ${attributes(n.itemAttributeValues!, n.itemNumbers!)}; users ${attributes(n.userAttributeValues!, n.userNumbers!)}`,
      ],
      ['events trained on', formatCount(checkpoint.trainedEvents.length)],
    ],
  };
}

function attributes(values: number, numbers: number): string {
  return `${formatCount(values)} values and ${formatCount(numbers)} numbers`;
}

/** Name, type, shape and size of each tensor. */
export function tensorTable(tensors: StoredMap): string {
  return renderTable({
    columns: [
      'tensor',
      'dtype',
      'shape',
      { name: 'values', format: 'count' },
      { name: 'size', format: 'bytes' },
    ],
    rows: [...tensors]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { dtype, shape, data }]) => [
        name,
        dtype,
        `[${shape.join(', ')}]`,
        data.length,
        data.byteLength,
      ]),
  });
}

function origin(
  { versions, compute, seed, dataset, createdAt }: CheckpointManifest,
  sha256: string,
): Section {
  const native = versions.libtensorflow === undefined ? '' : `, libtensorflow ${versions.libtensorflow}`;
  return {
    title: 'Origin',
    body: [
      ['written', createdAt],
      [
        'with',
        `recsys ${versions.recsys}, Node.js ${versions.node}, TensorFlow.js ${versions.tfjs}${native}`,
      ],
      [
        'on',
        `${compute.machine}; backend ${compute.backend} (${compute.device}, threads: ${compute.threads})`,
      ],
      ['seed', String(seed)],
      ['dataset', join(dataset.path)],
      ['fingerprint', dataset.fingerprint],
      ['test set', dataset.testSetHash],
      ['identity', sha256],
    ],
  };
}
