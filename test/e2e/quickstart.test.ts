import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BINARY = join(ROOT, 'bin', 'recsys.js');
const PIPELINE = join(ROOT, 'configs', 'quickstart', 'pipeline.yaml');
const built = existsSync(join(ROOT, 'dist', 'main.js'));
const ROWS = ['popularity', 'recent-popularity', 'itemknn', 'ease', 'teacher', 'student', 'tuned', 'oracle'];

const resultSchema = z.object({
  stages: z.array(z.object({ id: z.string(), path: z.string(), skipped: z.boolean() })),
  rows: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      bytes: z.number(),
      milliseconds: z.number().optional(),
      metrics: z.record(z.string(), z.number()),
    }),
  ),
});
type Result = z.infer<typeof resultSchema>;

interface Demonstration {
  readonly changed: number;
  readonly ofHobby: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
}
type Demonstrate = (options: {
  binary: string;
  model: string;
  raw: string;
  state: string;
  backend: string;
  say(text: string): void;
}) => Promise<Demonstration>;

/** Runs a Node program; rejects with its messages where it fails. */
function node(args: readonly string[]): Promise<string> {
  return new Promise((done, fail) => {
    execFile(process.execPath, args, { cwd: ROOT, maxBuffer: 1 << 28 }, (error, stdout, stderr) =>
      error ? fail(new Error(`${args.join(' ')}: ${stderr}`)) : done(stdout),
    );
  });
}

const ndcg = (result: Result, name: string): number =>
  result.rows.find((row) => row.name === name)!.metrics['ndcg@10']!;

describe('the quickstart, small', { skip: built ? false : 'not built (npm run build)' }, () => {
  let out = '';
  let first: Result;
  before(async () => {
    out = await mkdtemp(join(tmpdir(), 'recsys-quickstart-'));
    first = await pipeline();
  });
  after(() => rm(out, { recursive: true, force: true }));

  async function pipeline(): Promise<Result> {
    const sets = [
      'raw.users=250',
      'raw.tastes=3',
      'raw.brands=4',
      'raw.events=10',
      'teacher.model.width=16',
      'teacher.epochs=4',
      'student.student.width=8',
      'student.epochs=3',
      'tuned.epochs=1',
      'evaluation.bootstrap.resamples=100',
      'evaluation.latencyQueries=5',
    ];
    const flags = ['--backend', 'wasm', '--out', join(out, 'run'), '--json', '--quiet'];
    const args = [BINARY, 'run', PIPELINE, ...flags, ...sets.flatMap((set) => ['--set', set])];
    return resultSchema.parse(JSON.parse(await node(args)));
  }

  test('every row stands in one table, the oracle above all', () => {
    assert.deepEqual(
      first.rows.map(({ name }) => name),
      ROWS,
    );
    for (const name of ROWS.slice(0, -1)) assert.ok(ndcg(first, name) < ndcg(first, 'oracle'), name);
    assert.ok(ndcg(first, 'teacher') > ndcg(first, 'popularity'));
    const bytes = (name: string): number => first.rows.find((row) => row.name === name)!.bytes;
    assert.ok(bytes('student') < bytes('teacher'));
    assert.equal(first.rows.at(-1)!.milliseconds, undefined, 'nothing is computed for the oracle');
  });

  test('a second run does nothing and shows the same', async () => {
    const second = await pipeline();
    assert.ok(second.stages.every(({ skipped }) => skipped));
    assert.deepEqual(second.rows, first.rows);
  });

  test('a live service changes the list of a new user, and is gone afterwards', async () => {
    const script = pathToFileURL(join(ROOT, 'scripts', 'live.mjs')).href;
    const { demonstrate } = (await import(script)) as { demonstrate: Demonstrate };
    const path = (id: string): string => first.stages.find((stage) => stage.id === id)!.path;
    const lines: string[] = [];
    const shown = await demonstrate({
      binary: BINARY,
      model: path('tuned'),
      raw: path('raw'),
      state: join(out, 'run', 'live'),
      backend: 'wasm',
      say: (text) => void lines.push(text),
    });
    assert.equal(shown.before.length, 10);
    assert.equal(shown.after.length, 10);
    assert.ok(shown.changed > 0);
    for (const title of [...shown.before, ...shown.after]) {
      assert.match(title, /^.+ — .+$/);
      assert.ok(lines.some((text) => text.includes(title)));
    }
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(lines.join('\n'))![0];
    await assert.rejects(fetch(`${url}/healthz`), 'the service is stopped');
    const left = await readdir(join(out, 'run'));
    assert.deepEqual(
      left.filter((name) => name.startsWith('live')),
      [],
    );
  });
});

describe('the quickstart, whole', {
  skip: process.env.RECSYS_E2E_QUICKSTART === '1' ? false : 'takes minutes (RECSYS_E2E_QUICKSTART=1 runs it)',
}, () => {
  test('the teacher is at least half as good again as popularity', async () => {
    const out = await mkdtemp(join(tmpdir(), 'recsys-quickstart-'));
    try {
      const args = ['run', PIPELINE, '--backend', 'wasm', '--out', join(out, 'run'), '--json', '--quiet'];
      const result = resultSchema.parse(JSON.parse(await node([BINARY, ...args])));
      assert.ok(ndcg(result, 'teacher') >= 1.5 * ndcg(result, 'popularity'));
      assert.ok(ndcg(result, 'teacher') > ndcg(result, 'ease'));
      assert.ok(ndcg(result, 'oracle') > ndcg(result, 'teacher'));
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  });
});
