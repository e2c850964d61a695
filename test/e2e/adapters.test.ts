import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/random.js';
import { type Ended, ROOT, refused, recsys as runBinary, start } from '../suites/binary.js';

const built = existsSync(join(ROOT, 'dist/model/adapted.js'));

/** Whoever views an item views the next one; what is bought is of the other half of the catalogue. */
function log(): string {
  const rng = Random.of(1, 'adapters e2e');
  const rows = ['user,item,behaviour,time'];
  for (let u = 1; u <= 80; u++) {
    let at = rng.int(20);
    for (let t = 0; t < 16; t++) {
      at = (at + 1) % 20;
      const buys = t % 3 === 2;
      rows.push(`u${u},i${buys ? 20 + at : at},${buys ? 'buy' : 'view'},${1000 + t}`);
    }
  }
  return `${rows.join('\n')}\n`;
}

const FILES = {
  'log.csv': log(),
  'prepare.yaml':
    'interactions: { path: log.csv, columns: { user: user, item: item, behaviour: behaviour, time: time } }\nsplit: { kind: leave-last-out }\n',
  'pretrain.yaml':
    'model: { name: transformer, width: 16, depth: 1, length: 12, dropout: 0.1 }\nloss: softmax\nepochs: 8\noptimizer: { learningRate: 0.01 }\nvalidation: { patience: 0 }\n',
  'tune.yaml':
    'loss: softmax\nepochs: 4\noptimizer: { learningRate: 0.01 }\nvalidation: { patience: 0 }\nadapter: { rank: 4 }\n',
};

describe('adapters by the command line', { skip: built ? false : 'not built (npm run build)' }, () => {
  let cwd = '';
  const ok = async (...args: string[]): Promise<Ended> => {
    const ended = await runBinary(args, cwd);
    assert.equal(ended.code, 0, ended.stderr);
    return ended;
  };
  const tune = (behaviour: string, out: string, more: string[] = [], data = 'dataset'): Promise<Ended> =>
    runBinary(
      [
        ...['finetune', '-c', 'tune.yaml', '--from', 'base', '--data', data, '--backend', 'wasm', '-o', out],
        ...['--set', `targets.behaviours=[${behaviour}]`, ...more],
      ],
      cwd,
    );

  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'recsys-adapters-e2e-'));
    for (const [name, text] of Object.entries(FILES)) await writeFile(join(cwd, name), text);
    await ok('prepare', '-c', 'prepare.yaml', '-o', 'dataset');
    await ok('pretrain', '-c', 'pretrain.yaml', '--data', 'dataset', '--backend', 'wasm', '-o', 'base');
    for (const behaviour of ['view', 'buy']) {
      const ended = await tune(behaviour, behaviour);
      assert.equal(ended.code, 0, ended.stderr);
    }
    const longer = ['--set', 'epochs=12', '--set', 'optimizer.learningRate=0.03'];
    const narrow = await tune('buy', 'narrow', ['--set', 'adapter.kind=bottleneck', ...longer]);
    assert.equal(narrow.code, 0, narrow.stderr);
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  test('two adapters on one base, both served, swapped by name', async () => {
    const served = ['--model', 'base', '--port', '0', '--ready-file', 'ready.json', '--backend', 'cpu'];
    const named = ['view=view', 'buy=buy/adapter', 'narrow=narrow'].flatMap((one) => [
      '--set',
      `adapters.${one}`,
    ]);
    const { child, ended } = start(['serve-online', ...served, ...named, '--state', 'state'], cwd);
    try {
      const ready = join(cwd, 'ready.json');
      while (!existsSync(ready)) {
        assert.equal(child.exitCode, null, 'the server ended before it was ready');
        await sleep(20);
      }
      const { url } = JSON.parse(await readFile(ready, 'utf8')) as { url: string };
      const ask = async (adapter?: string) => {
        const body = JSON.stringify({ history: ['i1', 'i2', 'i3'], k: 5, ...(adapter ? { adapter } : {}) });
        const headers = { 'content-type': 'application/json' };
        const reply = await fetch(`${url}/v1/recommendations`, { method: 'POST', headers, body });
        return {
          status: reply.status,
          body: (await reply.json()) as { items?: { item: string }[]; adapter?: string; message?: string },
        };
      };
      const bought = async (adapter?: string): Promise<number> =>
        (await ask(adapter)).body.items!.filter(({ item }) => Number(item.slice(1)) >= 20).length;
      const [none, view, buy] = [await ask(), await ask('view'), await ask('buy')];
      assert.equal(buy.body.adapter, 'buy');
      assert.ok((await bought('buy')) > (await bought('view')), 'what is bought is of the other half');
      const narrow = (await ask('narrow')).body.items!.map(({ item }) => item);
      assert.notDeepEqual(
        narrow,
        none.body.items!.map(({ item }) => item),
      );
      await writeFile(join(cwd, 'asked.jsonl'), '{"user":"x","items":["i1","i2","i3"]}\n');
      const lists = ['--histories', 'asked.jsonl', '--k', '5', '--backend', 'cpu', '--out', 'lists.csv'];
      await ok('recommend', '--model', 'narrow', ...lists);
      const [, ...lines] = (await readFile(join(cwd, 'lists.csv'), 'utf8')).trim().split('\n');
      assert.deepEqual(
        narrow,
        lines.map((line) => line.split(',')[2]),
        'bottlenecks beside the base answer as their own checkpoint',
      );
      assert.deepEqual((await ask()).body.items, none.body.items, 'the base is as it was');
      assert.deepEqual((await ask('view')).body.items, view.body.items);
      const unknown = await ask('rent');
      assert.equal(unknown.status, 400);
      assert.match(JSON.stringify(unknown.body), /view, buy, narrow/);
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
  });

  test('the checkpoint has the adapter merged; its own files are small and say what they belong to', async () => {
    const settings = JSON.parse(await readFile(join(cwd, 'buy/adapter/adapter.json'), 'utf8')) as {
      parameters: number;
    };
    const base = JSON.parse(await readFile(join(cwd, 'base/manifest.json'), 'utf8')) as {
      model: { parameters: number };
    };
    const tuned = JSON.parse(await readFile(join(cwd, 'buy/manifest.json'), 'utf8')) as typeof base;
    assert.equal(tuned.model.parameters, base.model.parameters);
    assert.ok(settings.parameters < 0.5 * base.model.parameters, `${settings.parameters}`);
    await ok('evaluate', '--data', 'dataset', '--model', 'buy', '--backend', 'wasm', '-o', 'evaluation');
  });

  test('a checkpoint with bottlenecks is one of a deeper model, for every later stage', async () => {
    const read = async (path: string) =>
      JSON.parse(await readFile(join(cwd, path, 'manifest.json'), 'utf8')) as {
        model: { parameters: number; config: { bottleneck?: number } };
      };
    const { parameters } = JSON.parse(await readFile(join(cwd, 'narrow/adapter/adapter.json'), 'utf8')) as {
      parameters: number;
    };
    const [base, narrow] = [await read('base'), await read('narrow')];
    assert.equal(narrow.model.config.bottleneck, 4);
    assert.equal(base.model.config.bottleneck, undefined);
    assert.equal(narrow.model.parameters, base.model.parameters + parameters);
    const more = ['--data', 'dataset', '--backend', 'wasm'];
    await ok('evaluate', ...more, '--model', 'narrow', '-o', 'narrow-evaluation');
    await ok('compress', ...more, '--from', 'narrow', '--set', 'quantize=int8', '-o', 'narrow-int8');
    const once = [
      '--set',
      'epochs=1',
      '--set',
      'student={ name: transformer, width: 8, depth: 1, heads: 1, length: 12 }',
    ];
    await ok('distill', ...more, '--teacher', 'narrow', ...once, '-o', 'student');
    const again = await runBinary(
      [
        'finetune',
        '-c',
        'tune.yaml',
        '--from',
        'narrow',
        ...more,
        '--set',
        'adapter.kind=bottleneck',
        '-o',
        'twice',
      ],
      cwd,
    );
    await refused(2, /has bottlenecks already/, Promise.resolve(again));
  });

  test('what cannot go together is refused with the way out', async () => {
    const serve = (model: string, adapter: string) =>
      runBinary(
        [
          'serve-online',
          '--model',
          model,
          '--port',
          '0',
          '--state',
          'other',
          '--backend',
          'cpu',
          '--set',
          `adapters.a=${adapter}`,
        ],
        cwd,
      );
    await refused(4, /is an adapter of .*base.*not of .*view/, serve('view', 'buy'));
    await refused(4, /holds no adapter/, serve('base', 'base'));
    await refused(2, /no matrix wider than its rank/, tune('buy', 'no', ['--set', 'adapter.rank=64']));
    const more = 'prepare-more.yaml';
    await writeFile(
      join(cwd, 'more.csv'),
      `${FILES['log.csv']}u1,new,view,5000\nu1,i3,view,5001\nu1,i4,view,5002\n`,
    );
    await writeFile(join(cwd, more), FILES['prepare.yaml'].replace('log.csv', 'more.csv'));
    await ok('prepare', '-c', more, '-o', 'more');
    await refused(2, /does not know \(1 items\)/, tune('buy', 'no', [], 'more'));
  });
});
