import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { path } from '../config/fields.js';
import { RecsysError } from '../errors.js';
import { kindOf, listFiles } from '../storage/disk.js';
import { peekManifest, readManifest } from '../storage/manifest.js';
import { explainCheckpoint } from './inspect/checkpoint.js';
import { explainDataset } from './inspect/dataset.js';
import { explainEvaluation } from './inspect/evaluation.js';
import { type Explanation, renderExplanation } from './inspect/explanation.js';
import { explainExport } from './inspect/export.js';
import { explainPartial, explainPipeline, explainServing, explainWeights } from './inspect/others.js';
import { defineStage, type StageResult, type StageRun } from './stage.js';

const schema = z.strictObject({
  dir: path(
    'what to explain: a dataset, checkpoint, evaluation, export, pipeline run, unfinished or serving directory',
  ),
});

/** `recsys inspect <dir>`: what a directory is, from what it came, and whether it is whole. */
export default defineStage({
  name: 'inspect',
  describe: 'explain any directory recsys wrote, and verify its checksums',
  schema,
  flags: {
    model: {
      key: 'dir',
      describe: 'the directory, where it is not named first',
      type: 'string',
      stdin: true,
    },
  },
  positionals: [{ name: 'dir', key: 'dir', describe: 'the directory' }],
  run: inspect,
});

async function inspect(run: StageRun<z.output<typeof schema>>): Promise<StageResult> {
  const start = performance.now();
  const { dir } = run.config;
  const explanation = await explain(dir, run);
  return {
    path: dir,
    kind: explanation.kind,
    ...explanation.facts,
    seconds: (performance.now() - start) / 1000,
    text: renderExplanation(explanation),
  };
}

async function explain(dir: string, run: StageRun<unknown>): Promise<Explanation> {
  const kind = await kindOf(dir);
  if (kind === 'file' && dir.endsWith('.safetensors')) return await explainWeights(dir);
  if (kind !== 'directory') throw await missing(dir);
  const top = await readdir(dir);
  const has = (name: string) => top.includes(name);
  const files = () => listFiles(dir);
  if (dir.endsWith('.partial') || top.some((name) => /^snapshot\.\d+(\.tmp)?$/.test(name))) {
    return await explainPartial(dir, await files());
  }
  if (has('.pipeline')) return await explainPipeline(dir, await files());
  if (has('results.json')) return await explainEvaluation(dir, run);
  if (has('journal')) return await explainServing(dir, await files());
  const manifest = await peekManifest(dir);
  if (manifest?.kind === 'dataset') return await explainDataset(dir, manifest.value, run);
  if (manifest?.kind === 'export') return await explainExport(dir, manifest.value, run);
  if (manifest !== undefined) return await explainCheckpoint(dir, run);
  const some = top.slice(0, 3).join(', ');
  throw new RecsysError(
    'DATA_UNREADABLE',
    `${dir} is nothing recsys wrote (${some === '' ? 'it is empty' : `it holds ${some}`})`,
    {
      remedy: 'Give the output directory of a stage.',
    },
  );
}

async function missing(dir: string): Promise<unknown> {
  if ((await kindOf(dir)) === 'file') {
    return new RecsysError('DATA_UNREADABLE', `${basename(dir)} is a file, where a directory is expected`, {
      remedy: 'Give the output directory of a stage, or a .safetensors file.',
    });
  }
  // Says whether an unfinished run stands beside the missing directory.
  return await readManifest(dir).catch((error: unknown) => error);
}
