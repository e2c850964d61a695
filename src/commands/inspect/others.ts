/** Directories that are no finished dataset, checkpoint or evaluation: unfinished runs, pipelines, a server's state. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RecsysError } from '../../errors.js';
import { formatBytes, formatCount, formatMetric } from '../../report/format.js';
import { renderTable } from '../../report/table.js';
import { readSnapshot } from '../../storage/snapshot.js';
import { readStoredFile } from '../../storage/tensor-file.js';
import { readRecord } from '../pipeline/record.js';
import { tensorTable } from './checkpoint.js';
import type { Explanation } from './explanation.js';

async function sizeOf(dir: string, files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(dir, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The numbers at the top of a JSON value and one level below, which say where a run stood. */
function position(progress: unknown): (readonly [string, string])[] {
  if (typeof progress !== 'object' || progress === null) return [];
  return Object.entries(progress).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value === 'number') return [[name, formatMetric(value)] as const];
    if (Array.isArray(value) || typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([inner, number]: [string, unknown]) =>
      typeof number === 'number' ? [[inner, formatMetric(number)] as const] : [],
    );
  });
}

/** An unfinished run: whether and from where it can be resumed. */
export async function explainPartial(dir: string, files: readonly string[]): Promise<Explanation> {
  const snapshot = await readSnapshot(dir);
  const out = dir.replace(/\.partial$/, '');
  const resume =
    snapshot === undefined
      ? 'holds nothing to resume from; the next run starts afresh'
      : 'can be continued with --resume';
  const tensors = snapshot?.tensors ?? new Map();
  return {
    kind: 'partial',
    summary: `Unfinished output of ${out}: ${resume}`,
    sections: [
      { title: 'Stands at', body: position(snapshot?.progress) },
      { title: 'Tensors', body: tensors.size === 0 ? '' : tensorTable(tensors) },
      { title: 'Files', body: `${files.length} files, ${formatBytes(await sizeOf(dir, files))}` },
    ],
    facts: { resumable: snapshot !== undefined, progress: snapshot?.progress ?? null, files },
  };
}

/** A pipeline's directory: its stages, as recorded when they ran. */
export async function explainPipeline(dir: string, files: readonly string[]): Promise<Explanation> {
  const ids = files.flatMap((name) => /^\.pipeline\/(.+)\.json$/.exec(name)?.[1] ?? []);
  const stages = await Promise.all(ids.map(async (id) => ({ id, record: await readRecord(dir, id) })));
  const rows = stages.map(({ id, record }) => {
    const ndcg = record?.result?.metrics?.['ndcg@10'];
    return [
      id,
      record?.inputs.stage ?? '?',
      record?.state ?? 'unreadable',
      record?.result?.seconds ?? null,
      ndcg ?? null,
    ];
  });
  return {
    kind: 'pipeline',
    summary: `Pipeline run of ${formatCount(stages.length)} stages`,
    sections: [
      {
        title: 'Stages',
        body: renderTable({ columns: ['id', 'stage', 'state', 'seconds', 'ndcg@10'], rows }),
      },
      {
        title: 'Outputs',
        body: stages.flatMap(({ id, record }) =>
          record?.result?.path === undefined ? [] : [[id, record.result.path] as const],
        ),
      },
      {
        title: 'Files',
        body: `${files.length} files, ${formatBytes(await sizeOf(dir, files))}; inspect an output to verify it`,
      },
    ],
    facts: { stages: stages.map(({ id, record }) => ({ id, ...record })) },
  };
}

/** What a live recommender keeps: its journal of events, and the checkpoint it last wrote. */
export async function explainServing(dir: string, files: readonly string[]): Promise<Explanation> {
  const journal = files.filter((name) => name.startsWith('journal/'));
  const snapshot = files.includes('snapshot/manifest.json') ? join(dir, 'snapshot') : undefined;
  return {
    kind: 'serving-state',
    summary: 'State of a live recommender: the events it took and the model it learned from them',
    sections: [
      {
        title: 'Contents',
        body: [
          ['journal', `${journal.length} files, ${formatBytes(await sizeOf(dir, journal))}`],
          ['model', snapshot ?? 'none saved yet'],
        ],
      },
    ],
    facts: { journal, snapshot: snapshot ?? null },
  };
}

/** A file of weights on its own. */
export async function explainWeights(path: string): Promise<Explanation> {
  const tensors = await readStoredFile(path);
  if (tensors.size === 0) throw new RecsysError('DATA_UNREADABLE', `${path} holds no tensors`);
  return {
    kind: 'weights',
    summary: `Weights: ${formatCount(tensors.size)} tensors, ${formatBytes((await stat(path)).size)}`,
    sections: [{ title: 'Tensors', body: tensorTable(tensors) }],
    facts: { tensors: [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape })) },
  };
}
