import assert from 'node:assert/strict';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import inspect from '../../src/commands/inspect.js';
import type { StageResult } from '../../src/commands/stage.js';
import { lineageOf, readCheckpoint } from '../../src/storage/checkpoint.js';
import { sha256 } from '../../src/storage/hash.js';
import { saveSnapshot } from '../../src/storage/snapshot.js';
import { temporary, tinyCheckpoint, tinyContent, tinyTensors } from '../storage/fixtures.js';

function explain(dir: string, signal = new AbortController().signal): Promise<StageResult> {
  return inspect.run({
    config: { dir },
    flags: { out: undefined, seed: undefined, resume: false, force: false, json: false, quiet: true },
    invocation: { commands: {}, cwd: '/', configFile: undefined, sets: [], backend: undefined },
    progress: () => undefined,
    log: () => undefined,
    signal,
  });
}

async function family(t: TestContext): Promise<{ dir: string; teacher: string; student: string }> {
  const dir = await temporary(t);
  const teacher = join(dir, 'teacher');
  const student = join(dir, 'student');
  await mkdir(teacher);
  await mkdir(student);
  await tinyCheckpoint(teacher);
  const lineage = lineageOf(await readCheckpoint(teacher));
  await tinyCheckpoint(student, { manifest: { ...tinyContent.manifest, stage: 'distill', lineage } });
  return { dir, teacher, student };
}

test('a checkpoint: what it is, from what it came, its tensors and metrics', async (t) => {
  const { teacher, student } = await family(t);
  const { text = '', kind, verified, tensors } = await explain(student);
  assert.equal(kind, 'checkpoint');
  assert.equal(verified, true);
  assert.equal((tensors as unknown[]).length, 3);
  for (const line of [
    'Checkpoint of distill: model mlp, 12 parameters (279 B)',
    '  dataset tiny (ffffffffffff)',
    `  └─ pretrain mlp: ${teacher} (unchanged)`,
    '     └─ distill mlp: this checkpoint',
    '  ndcg@10  0.1250',
    '  item.embedding  F32    [4, 2]       8  32 B',
  ]) {
    assert.ok(text.split('\n').includes(line), `${line}\nin\n${text}`);
  }
  await appendFile(join(teacher, 'manifest.json'), '\n');
  assert.match((await explain(student)).text ?? '', /teacher \(changed since\)/);
  await rm(teacher, { recursive: true });
  assert.match((await explain(student)).text ?? '', /teacher \(no longer there\)/);
});

test('damage is named, all of it at once', async (t) => {
  const { student } = await family(t);
  await rm(join(student, 'config.yaml'));
  await appendFile(join(student, 'vocabulary', 'users.jsonl'), 'x');
  await assert.rejects(explain(student), {
    code: 'CHECKPOINT_DAMAGED',
    message:
      /2 of 9 files are damaged:\n {2}config\.yaml is missing\n {2}vocabulary\/users\.jsonl has \d+ bytes/,
  });
});

test('a dataset, verified by its own manifest', async (t) => {
  const dir = await temporary(t);
  await writeFile(join(dir, 'items.parquet'), 'PAR1');
  const manifest = {
    kind: 'dataset',
    formatVersion: 1,
    createdWith: 'recsys 0.1.0',
    name: 'shop',
    counts: { users: 2, items: 3, interactions: 4000, train: 3996, validation: 2, test: 2, rejected: 0 },
    funnel: [{ step: 'read', rows: 4000 }],
    droppedUnknownItems: 0,
    behaviours: [{ name: 'click', weight: 1 }],
    split: { kind: 'leave-last-out', order: 'temporal', catalogue: 'all', seed: 42, parameters: { test: 1 } },
    time: 'epoch',
    ties: { usersTiedAtLast: 1 },
    columns: {},
    attributes: { items: { price: 'number' }, users: {} },
    fingerprint: 'f',
    testSetHash: 't',
    files: { 'items.parquet': { bytes: 4, sha256: sha256('PAR1') } },
  };
  await writeFile(join(dir, 'manifest.json'), JSON.stringify(manifest));
  const { text = '', kind } = await explain(dir);
  assert.equal(kind, 'dataset');
  assert.match(text, /^Dataset shop: 4,000 interactions of 2 users with 3 items$/m);
  assert.match(text, /leave-last-out, test 1/);
  assert.match(text, /price \(number\)/);
  await writeFile(join(dir, 'items.parquet'), 'PAR2');
  await assert.rejects(explain(dir), {
    code: 'DATASET_DAMAGED',
    exitCode: 3,
    message: /items\.parquet was altered/,
  });
  await writeFile(join(dir, 'manifest.json'), JSON.stringify({ ...manifest, formatVersion: 9 }));
  await assert.rejects(explain(dir), { message: /dataset format 9/ });
  await writeFile(join(dir, 'manifest.json'), JSON.stringify({ ...manifest, counts: {} }));
  await assert.rejects(explain(dir), { code: 'DATASET_DAMAGED', message: /counts\.users/ });
});

test('an unfinished run: whether it can be resumed, and from where', async (t) => {
  const partial = join(await temporary(t), 'teacher.partial');
  await mkdir(partial);
  assert.match((await explain(partial)).text ?? '', /holds nothing to resume from/);
  await saveSnapshot(partial, {
    tensors: tinyTensors,
    optimizer: new Map(),
    progress: { fit: { epoch: 3, best: null } },
  });
  const { text = '', kind, resumable } = await explain(partial);
  assert.deepEqual([kind, resumable], ['partial', true]);
  assert.match(text, /can be continued with --resume/);
  assert.match(text, /^ {2}epoch {2}3$/m);
  await assert.rejects(explain(partial.replace('.partial', '')), {
    code: 'FILE_MISSING',
    message: /unfinished run/,
  });
});

test('a file of weights, and what recsys did not write', async (t) => {
  const { dir, student } = await family(t);
  assert.match((await explain(join(student, 'model.safetensors'))).text ?? '', /^Weights: 3 tensors/);
  await assert.rejects(explain(join(student, 'config.yaml')), { code: 'DATA_UNREADABLE' });
  await assert.rejects(explain(dir), { code: 'DATA_UNREADABLE', message: /nothing recsys wrote \(it holds/ });
  await assert.rejects(explain(join(dir, 'nowhere')), { code: 'FILE_MISSING' });
});

test('an interrupted verification stops', async (t) => {
  const { student } = await family(t);
  await assert.rejects(explain(student, AbortSignal.abort()), { code: 'INTERRUPTED' });
});
