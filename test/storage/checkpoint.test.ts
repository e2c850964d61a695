import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  lineageOf,
  readCheckpoint,
  readExtra,
  readLast,
  restoreTensors,
  sealCheckpoint,
  verifyFiles,
} from '../../src/storage/checkpoint.js';
import { temporary, tinyCatalogue, tinyCheckpoint, tinyTensors } from './fixtures.js';

const damaged = (pattern: RegExp) => ({ code: 'CHECKPOINT_DAMAGED', exitCode: 4, message: pattern });
const incompatible = (pattern: RegExp) => ({
  code: 'CHECKPOINT_INCOMPATIBLE',
  exitCode: 4,
  message: pattern,
});

async function editManifest(dir: string, edit: (manifest: Record<string, unknown>) => void): Promise<void> {
  const path = join(dir, 'manifest.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  edit(manifest);
  await writeFile(path, JSON.stringify(manifest));
}

test('a checkpoint reads back as it was written', async (t) => {
  const dir = await tinyCheckpoint(await temporary(t));
  const checkpoint = await readCheckpoint(dir);
  assert.deepEqual(
    checkpoint.tensors,
    new Map([...tinyTensors].sort(([a], [b]) => (a === 'mask' ? 1 : b === 'mask' ? -1 : a < b ? -1 : 1))),
  );
  assert.deepEqual(checkpoint.catalogue, tinyCatalogue);
  assert.deepEqual(checkpoint.config, { model: 'mlp', epochs: 2, note: 'yes' });
  assert.deepEqual(checkpoint.trainedEvents, BigUint64Array.of(1n, 2n ** 63n));
  assert.equal(checkpoint.manifest.model.parameters, 12);
  assert.equal(checkpoint.manifest.model.bytes, (await readFile(join(dir, 'model.safetensors'))).byteLength);
  assert.equal(checkpoint.manifest.versions.tfjs, '4.22.0');
  assert.deepEqual(await verifyFiles(dir, checkpoint.manifest.files), []);
});

test('a flipped byte in any file is found and the file named', async (t) => {
  const dir = await tinyCheckpoint(await temporary(t));
  const { manifest } = await readCheckpoint(dir);
  for (const name of Object.keys(manifest.files)) {
    const path = join(dir, name);
    const whole = await readFile(path);
    for (const at of [0, whole.length >> 1, whole.length - 1]) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1;
      await writeFile(path, flipped);
      await assert.rejects(
        readCheckpoint(dir),
        damaged(new RegExp(name.replace('.', '\\.'))),
        `${name} byte ${at}`,
      );
    }
    await truncate(path, whole.length - 1);
    await assert.rejects(readCheckpoint(dir), damaged(new RegExp(`${name} has ${whole.length - 1} bytes`)));
    await appendFile(path, 'xx');
    await assert.rejects(readCheckpoint(dir), damaged(new RegExp(name)));
    await rm(path);
    await assert.rejects(readCheckpoint(dir), damaged(new RegExp(`${name} is missing`)));
    assert.deepEqual(await verifyFiles(dir, manifest.files), [`${name} is missing`]);
    await writeFile(path, whole);
  }
  await readCheckpoint(dir);
});

test('a damaged manifest is named', async (t) => {
  const dir = await tinyCheckpoint(await temporary(t));
  const path = join(dir, 'manifest.json');
  const whole = await readFile(path, 'utf8');
  await writeFile(path, whole.slice(0, whole.length / 2));
  await assert.rejects(readCheckpoint(dir), damaged(/manifest\.json is not JSON/));
  await writeFile(path, '{}');
  await assert.rejects(readCheckpoint(dir), damaged(/does not say what kind/));
  await writeFile(path, whole.replace('"parameters"', '"parametres"'));
  await assert.rejects(readCheckpoint(dir), damaged(/model\.parameters/));
  await writeFile(path, whole);
  await editManifest(dir, (manifest) =>
    Object.assign(manifest, { files: { '../outside': { bytes: 1, sha256: '' } } }),
  );
  await assert.rejects(readCheckpoint(dir), damaged(/outside: Invalid key/));
  await rm(path);
  await assert.rejects(readCheckpoint(dir), damaged(/manifest\.json is missing/));
});

test('a newer format, another kind of directory, a file and nothing at all are told apart', async (t) => {
  const dir = await tinyCheckpoint(join(await temporary(t)));
  await editManifest(dir, (manifest) =>
    Object.assign(manifest, { formatVersion: 7, versions: { recsys: '9.1.0' } }),
  );
  await assert.rejects(
    readCheckpoint(dir),
    incompatible(/format 7, written by recsys 9\.1\.0; this recsys reads formats up to 2/),
  );
  await writeFile(join(dir, 'manifest.json'), '{"kind":"dataset","formatVersion":1}');
  await assert.rejects(readCheckpoint(dir), incompatible(/expected a checkpoint, found a dataset directory/));
  await assert.rejects(readCheckpoint(join(dir, 'config.yaml')), incompatible(/found a file/));
  await assert.rejects(readCheckpoint(join(dir, 'nowhere')), { code: 'FILE_MISSING' });
  await mkdir(join(dir, 'teacher.partial'));
  await assert.rejects(readCheckpoint(join(dir, 'teacher')), {
    code: 'FILE_MISSING',
    message: /unfinished run/,
  });
});

test('weights that are not finite are neither written nor read', async (t) => {
  const dir = await temporary(t);
  const tensors = new Map([
    ['w', { dtype: 'F32' as const, shape: [2], data: Float32Array.of(1, Number.NaN) }],
  ]);
  await assert.rejects(tinyCheckpoint(dir, { tensors }), {
    code: 'DIVERGED',
    message: /"w" holds NaN at position 1/,
  });
});

test('files added later are recorded by sealing', async (t) => {
  const dir = await temporary(t);
  await writeFile(join(dir, 'metrics.jsonl'), '{"epoch":1}\n');
  await tinyCheckpoint(dir, { extra: new Map([['online/state.bin', Uint8Array.of(1, 2)]]) });
  await writeFile(join(dir, 'report.html'), '<p>');
  const sealed = await sealCheckpoint(dir);
  for (const name of ['metrics.jsonl', 'online/state.bin', 'report.html', 'vocabulary/items.jsonl']) {
    assert.ok(sealed.files[name], name);
  }
  const checkpoint = await readCheckpoint(dir);
  assert.deepEqual([...((await readExtra(checkpoint, 'online/state.bin')) ?? [])], [1, 2]);
  assert.equal(await readExtra(checkpoint, 'none'), undefined);
  await rm(join(dir, 'report.html'));
  await readCheckpoint(dir);
});

test('the state to go on training from is kept beside the best weights', async (t) => {
  const dir = await temporary(t);
  const last = new Map([['w', { dtype: 'F32' as const, shape: [1], data: Float32Array.of(9) }]]);
  await tinyCheckpoint(dir, { last: { tensors: last, optimizer: new Map(), progress: { best: -Infinity } } });
  const found = await readLast(await readCheckpoint(dir));
  assert.deepEqual(found, { tensors: last, optimizer: new Map(), progress: { best: -Infinity } });
});

test('lineage grows from parent to child', async (t) => {
  const dir = await temporary(t);
  await mkdir(join(dir, 'teacher'));
  await mkdir(join(dir, 'student'));
  const teacher = await readCheckpoint(await tinyCheckpoint(join(dir, 'teacher')));
  const lineage = lineageOf(teacher);
  assert.equal(lineage.length, 1);
  assert.equal(lineage[0]?.manifestSha256, teacher.manifestSha256);
  await tinyCheckpoint(join(dir, 'student'));
  await editManifest(join(dir, 'student'), (manifest) =>
    Object.assign(manifest, { stage: 'distill', lineage }),
  );
  const student = await readCheckpoint(join(dir, 'student'));
  assert.deepEqual(
    lineageOf(student).map(({ stage, path }) => [stage, path]),
    [
      ['pretrain', teacher.path],
      ['distill', student.path],
    ],
  );
});

test('restoreTensors names every tensor that does not fit', () => {
  const expected = new Map([
    ['bias', { dtype: 'F32' as const, shape: [] }],
    ['item.embedding', { dtype: 'F32' as const, shape: [4, 3] }],
    ['mask', { dtype: 'I32' as const, shape: [3] }],
    ['head', { dtype: 'F32' as const, shape: [1] }],
  ]);
  const tensors = new Map([
    ...tinyTensors,
    ['old', { dtype: 'U8' as const, shape: [1], data: Uint8Array.of(1) }],
  ]);
  assert.throws(() => restoreTensors(expected, tensors, 'teacher/model.safetensors'), {
    code: 'CHECKPOINT_INCOMPATIBLE',
    message: [
      'teacher/model.safetensors does not fit the model:',
      '  tensor "item.embedding": expected F32 [4, 3], found F32 [4, 2]',
      '  tensor "mask": expected I32 [3], found U8 [3]',
      '  tensor "head": expected F32 [1], found none',
      '  tensor "old": expected none, found U8 [1]',
    ].join('\n'),
  });
  assert.deepEqual(restoreTensors(new Map([...tinyTensors]), tinyTensors, 'x'), tinyTensors);
});

test('a moved checkpoint still reads', async (t) => {
  const dir = await temporary(t);
  await mkdir(join(dir, 'a'));
  await tinyCheckpoint(join(dir, 'a'));
  await rename(join(dir, 'a'), join(dir, 'b'));
  assert.equal((await readCheckpoint(join(dir, 'b'))).path, join(dir, 'b'));
});
