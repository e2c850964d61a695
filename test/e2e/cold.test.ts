import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ColdResults, coldResultsSchema } from '../../src/evaluation/cold/results.js';
import { elicitationSchema } from '../../src/evaluation/elicitation/results.js';
import { Random } from '../../src/random.js';
import { type Ended, ROOT, refused, recsys as runBinary } from '../suites/binary.js';

const built = existsSync(join(ROOT, 'dist/training/meta-train.js'));

/** Users like red or blue things, and some rate all of them higher: to be known from a few ratings, and for new things too. */
function files(): Record<string, string> {
  const rng = Random.of(1, 'cold e2e');
  const items = ['id,colour,year'];
  for (let i = 1; i <= 40; i++) items.push(`i${i},${i % 2 ? 'red' : 'blue'},${i > 32 ? 2000 : 1990}`);
  const rows = ['user,item,rating'];
  for (let u = 1; u <= 120; u++) {
    const taste = u % 2 ? 1.5 : -1.5;
    const mood = (u % 3) - 1;
    const order = rng.shuffle(Array.from({ length: 40 }, (_, i) => i + 1)).slice(0, 30);
    for (const i of order) {
      const rating = 5 + mood + (i % 2 ? taste : -taste) + 0.2 * rng.normal();
      rows.push(`u${u},i${i},${rating.toFixed(2)}`);
    }
  }
  // What a user likes: the half of the items that are of their colour.
  const liked = rows.filter(
    (row, n) =>
      n === 0 || Number(row.split(',')[0]!.slice(1)) % 2 === Number(row.split(',')[1]!.slice(1)) % 2,
  );
  return {
    'log.csv': `${rows.join('\n')}\n`,
    'likes.csv': `${liked.join('\n')}\n`,
    'items.csv': `${items.join('\n')}\n`,
    'prepare.yaml': `interactions: { path: log.csv, columns: { user: user, item: item, value: rating } }
items: [{ path: items.csv, id: id, attributes: { colour: { column: colour, type: category }, year: { column: year, type: number, feature: false } } }]
split: { kind: cold, users: { fraction: 0.2 }, items: { attribute: year, from: 2000 }, validation: 0, catalogue: all }
`,
    'prepare-likes.yaml': `interactions: { path: likes.csv, columns: { user: user, item: item } }
split: { kind: cold, users: { fraction: 0.2 }, validation: 0, catalogue: all }
`,
    'train.yaml': `tasks: { least: 8, query: 4 }
holdOut: { least: 6, query: 3 }
optimizer: { learningRate: 0.02 }
epochs: 30
batchSize: 16
validation: { patience: 0 }
`,
    'cold.yaml': 'cold: { least: 5, query: 3, support: [2, all] }\nreference: bias\n',
  };
}

describe('cold start by the command line', { skip: built ? false : 'not built (npm run build)' }, () => {
  let cwd = '';
  const recsys = (...args: string[]): Promise<Ended> => runBinary(args, cwd);
  const ok = async (...args: string[]): Promise<Ended> => {
    const ended = await recsys(...args);
    assert.equal(ended.code, 0, ended.stderr);
    return ended;
  };
  const trainOn = (data: string, preset: string, ...more: string[]): Promise<Ended> => {
    const given = ['--data', data, '--preset', preset, '--backend', 'wasm'];
    return recsys('meta-train', '-c', 'train.yaml', ...given, ...more);
  };
  const train = (preset: string, ...more: string[]): Promise<Ended> => trainOn('dataset', preset, ...more);
  const small = ['--set', 'model.width=4', '--set', 'model.idDropout=0.3'];
  let results: ColdResults;

  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'recsys-cold-e2e-'));
    for (const [name, text] of Object.entries(files())) await writeFile(join(cwd, name), text);
    await ok('prepare', '-c', 'prepare.yaml', '-o', 'dataset');
    const gradient = ['--set', 'model.hidden=[8]', '--set', 'epochs=12'];
    for (const [preset, more] of [
      ['fold-in', []],
      ['maml', gradient],
    ] as const) {
      const ended = await train(preset, ...small, ...more, '-o', preset);
      assert.equal(ended.code, 0, ended.stderr);
    }
    const models = ['--model', 'fold-in', '--model', 'maml', '--backend', 'wasm'];
    await ok('evaluate', '--cold', '-c', 'cold.yaml', '--data', 'dataset', ...models, '-o', 'cold');
    results = coldResultsSchema.parse(JSON.parse(await readFile(join(cwd, 'cold/results.json'), 'utf8')));
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  test('models that adapt know new users of new items from a few ratings; a bias does not, nor they without', () => {
    const scenario = results.scenarios.find(({ users, items }) => users === 'new' && items === 'new')!;
    const mae = (name: string, support: number | 'all'): number =>
      scenario.rows.find((row) => row.name === name && row.support === support)!.metrics.mae!.mean;
    const foldIn = mae('fold-in', 'all');
    assert.ok(foldIn < 0.6, `fold-in is off by ${foldIn}`);
    assert.ok(foldIn < 0.6 * mae('bias', 'all'), `bias is off by ${mae('bias', 'all')}`);
    assert.ok(foldIn <= mae('fold-in', 2) + 0.05, 'more ratings are better');
    for (const name of ['fold-in', 'maml'])
      assert.ok(mae(name, 'all') < 0.8 * mae(`${name}, no event given`, 'all'), `${name} adapts`);
    assert.equal(results.scenarios.length, 4);
    assert.deepEqual(
      results.adaptation.map(({ name, state }) => [name, state > 0]),
      [
        ['fold-in', true],
        ['maml', true],
      ],
    );
  });

  test('the report is whole, and the same seed gives the same model', async () => {
    const report = await readFile(join(cwd, 'cold/report.html'), 'utf8');
    assert.match(report, /mae after k events: new items, new users/);
    await ok(
      'meta-train',
      '-c',
      'train.yaml',
      '--data',
      'dataset',
      '--preset',
      'fold-in',
      '--backend',
      'wasm',
      ...small,
      '-o',
      'again',
    );
    const [first, second] = await Promise.all(
      ['fold-in', 'again'].map((dir) => readFile(join(cwd, dir, 'model.safetensors'))),
    );
    assert.ok(first!.equals(second!), 'equal bits');
  });

  test('with nobody held out there is nothing to validate on, which is said, and the last epoch is kept', async () => {
    const none = ['--set', 'holdOut.users=0', '--set', 'epochs=2'];
    const { code, stderr } = await train('fold-in', ...small, ...none, '-o', 'unjudged');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /there is nothing to validate on/);
    assert.doesNotMatch(stderr, /NaN/);
  });

  test('what is liked is found among all items once something is known', async () => {
    const ranking = ['--set', 'loss=softmax', '--set', 'tasks.support=[1,6]'];
    const events = ['--set', 'model.feedback=events'];
    await ok('prepare', '-c', 'prepare-likes.yaml', '-o', 'likes');
    const trained = await trainOn('likes', 'fold-in', ...small, ...ranking, ...events, '-o', 'ranker');
    assert.equal(trained.code, 0, trained.stderr);
    const steps = await trainOn('likes', 'maml', ...small, ...ranking, '--set', 'epochs=1', '-o', 'stepper');
    assert.equal(steps.code, 0, steps.stderr);
    assert.match(steps.stderr, /takes its steps on the values of events, and there is none/);
    for (const { stderr } of [trained, await train('maml', ...small, '--set', 'epochs=1', '-o', 'rated')])
      assert.doesNotMatch(stderr, /there is none/);
    const metrics = (await readFile(join(cwd, 'ranker/metrics.jsonl'), 'utf8')).trim().split('\n').at(-1)!;
    assert.match(metrics, /"ndcg@10_after_1":.*"ndcg@10_after_6":/);
    const cold = ['task=ranking', 'support=[1,all]', 'least=8', 'query=6'].flatMap((s) => [
      '--set',
      `cold.${s}`,
    ]);
    const given = ['--data', 'likes', '--model', 'ranker', '--backend', 'wasm', ...cold];
    const ended = await ok('evaluate', '--cold', ...given, '--set', 'baselines=[popularity]', '-o', 'found');
    assert.match(ended.stdout, /ranker, no event given/);
    const { scenarios } = coldResultsSchema.parse(
      JSON.parse(await readFile(join(cwd, 'found/results.json'), 'utf8')),
    );
    const fresh = scenarios.find(({ users, items }) => users === 'new' && items === 'existing')!;
    const ndcg = (name: string, support: number | 'all'): number =>
      fresh.rows.find((row) => row.name === name && row.support === support)!.metrics['ndcg@10']!.mean;
    // One liked item says which half of them is meant.
    const nothing = ndcg('ranker, no event given', 'all');
    for (const support of [1, 'all'] as const)
      assert.ok(ndcg('ranker', support) > 1.2 * nothing, `${ndcg('ranker', support)} > 1.2 × ${nothing}`);
    for (const { rows } of scenarios)
      assert.deepEqual(
        [...new Set(rows.map(({ name }) => name))],
        ['popularity', 'ranker', 'ranker, no event given'],
      );
    assert.match(await readFile(join(cwd, 'found/report.html'), 'utf8'), /ndcg@10 after k events/);
  });

  test('states can be kept, and lists made from them are those made from the events', async () => {
    const given = ['--model', 'fold-in', '--backend', 'wasm'];
    const histories = [
      {
        user: 'ann',
        events: [
          { item: 'i1', value: 8 },
          { item: 'i2', value: 1 },
        ],
      },
      { user: 'u1', items: [] },
      { user: 'bob', items: [] },
    ];
    await writeFile(join(cwd, 'new.jsonl'), histories.map((h) => `${JSON.stringify(h)}\n`).join(''));
    const lists = ['--k', '5', '--set', 'filterSeen=false'];
    await ok('recommend', ...given, '--histories', 'new.jsonl', ...lists, '-o', 'from-events.csv');
    const expected = await readFile(join(cwd, 'from-events.csv'), 'utf8');
    for (const file of ['states.jsonl', 'states.parquet']) {
      await ok('adapt', ...given, '--histories', 'new.jsonl', '-o', file);
      await ok('recommend', ...given, '--states', file, '--k', '5', '-o', `${file}.csv`);
      assert.equal(await readFile(join(cwd, `${file}.csv`), 'utf8'), expected, file);
    }
    const states = (await readFile(join(cwd, 'states.jsonl'), 'utf8')).trim().split('\n');
    assert.deepEqual(
      states.map((line) => {
        const { user, events, basis } = JSON.parse(line) as Record<string, unknown>;
        return [user, events, basis];
      }),
      [
        ['ann', 2, 'events'],
        ['u1', 0, 'population'],
        ['bob', 0, 'population'],
      ],
    );
    await ok('adapt', ...given, '--data', 'dataset', '--user', 'u1', '-o', 'one.jsonl');
    assert.match(
      await readFile(join(cwd, 'one.jsonl'), 'utf8'),
      /^{"user":"u1","events":\d+,"basis":"events"/,
    );

    const by = (...args: string[]) => recsys('recommend', '--backend', 'wasm', ...args, '-o', 'no.csv');
    await writeFile(join(cwd, 'empty.jsonl'), '\n');
    for (const flag of ['--histories', '--users'])
      await refused(
        3,
        /empty\.jsonl: there is no (history|user) in it/,
        by('--model', 'fold-in', flag, 'empty.jsonl'),
      );
    assert.ok(!existsSync(join(cwd, 'no.csv')));
    const adapted = recsys('adapt', ...given, '--histories', 'empty.jsonl', '-o', 'no.jsonl');
    await refused(3, /there is no history in it/, adapted);
    const other = by('--model', 'maml', '--states', 'states.jsonl');
    await refused(4, /states\.jsonl:1: the state of "ann" has 5 numbers and is of the checkpoint/, other);
    await writeFile(join(cwd, 'torn.jsonl'), `${states[0]}\n${states[1]!.slice(0, 40)}\n`);
    const torn = by('--model', 'fold-in', '--states', 'torn.jsonl');
    await refused(3, /torn\.jsonl:2: expected a user's state/, torn);
    const both = by('--model', 'fold-in', '--states', 'states.jsonl', '--data', 'dataset');
    await refused(2, /either `states` or `data`/, both);
    await refused(
      2,
      /budget.steps: .*"fold-in"/,
      recsys('adapt', ...given, '--steps', '3', '-o', 'no.jsonl'),
    );
    for (const file of ['no.csv', 'no.xlsx', 'no']) {
      const ended = await recsys('adapt', ...given, '-o', file);
      assert.equal(ended.code, 2, ended.stderr);
      assert.match(
        ended.stderr,
        /no states are written[\s\S]*Name it \.jsonl, \.parquet, or say --format/,
        file,
      );
      assert.ok(!existsSync(join(cwd, file)));
    }
  });

  test('a new user is asked what helps most, and interviews say how well that goes', async () => {
    const given = ['--data', 'dataset', '--model', 'fold-in', '--backend', 'wasm'];
    const small = ['count=8', 'candidates=16', 'least=8', 'query=4', 'questions=3'].flatMap((s) => [
      '--set',
      s,
    ]);
    const { stdout } = await ok('elicit', ...given, ...small, '--simulate', '-o', 'questions');
    assert.match(stdout, /tree − popular: mae/);
    const { items, interviews, tree } = elicitationSchema.parse(
      JSON.parse(await readFile(join(cwd, 'questions/elicitation.json'), 'utf8')),
    );
    assert.equal(items.length, 8);
    assert.ok(tree?.next.unknown, 'each answer leads on');
    const mae = (name: string): number =>
      interviews!.rows.find(({ strategy }) => strategy === name)!.metrics.mae!.mean;
    for (const name of ['gain', 'tree']) {
      assert.ok(mae(name) < mae('nothing asked'), `${name}: ${mae(name)} < ${mae('nothing asked')}`);
      assert.ok(mae('everything asked') < mae(name));
    }
    const again = await ok('elicit', ...given, ...small, '-o', 'questions-again');
    assert.equal(again.stdout.split('\n')[0], stdout.split('\n')[0], 'the same seed asks the same');
    const likes = ['--data', 'likes', '--model', 'ranker', '--backend', 'wasm', '-o', 'no'];
    for (const refused of [await recsys('elicit', ...likes), await recsys('evaluate', '--cold', ...likes)]) {
      assert.equal(refused.code, 3, refused.stderr);
      assert.match(refused.stderr, /no train row has a value/);
    }
    await refused(
      2,
      /questions: must be at most 8 with strategy tree/,
      recsys('elicit', ...given, '--questions', '9', '-o', 'no'),
    );
    const nobody = await recsys('elicit', ...given, '--set', 'least=90', '--simulate', '-o', 'no');
    assert.equal(nobody.code, 3, nobody.stderr);
  });

  test('what cannot be done is refused with the way out', async () => {
    await refused(
      3,
      /no user has 90 to 100 train rows/,
      train('fold-in', '--set', 'tasks.least=90', '-o', 'no'),
    );
    // Of one user alone, who is among the many that are held out.
    const silent = files()['log.csv']!.replace(/^(u5,i\d+),.*$/gm, '$1,');
    await writeFile(join(cwd, 'silent.csv'), silent);
    const silenced = ['--set', 'interactions.path=silent.csv'];
    await ok('prepare', '-c', 'prepare.yaml', ...silenced, '-o', 'silent');
    for (const seed of ['1', '2', '3', '4'])
      await refused(
        3,
        /loss: mse needs a value \(rating\) for every train row/,
        trainOn('silent', 'fold-in', '--set', 'holdOut.users=0.6', '--seed', seed, '-o', 'no'),
      );
    for (const steps of ['-1', '101'])
      await refused(
        2,
        /budget\.steps: expected at (least 0|most 100)/,
        recsys('adapt', '--model', 'maml', '--steps', steps),
      );
    await refused(
      2,
      /model\.steps: expected at most 100/,
      train('maml', '--set', 'model.steps=101', '-o', 'no'),
    );
    const wild = ['--set', 'model.rate=50', '--set', 'model.hidden=[8]', '--set', 'clipNorm=1'];
    await refused(5, /the inner loop diverged for \d+ %/, train('maml', ...small, ...wild, '-o', 'no'));
    await refused(2, /must leave an event besides/, train('fold-in', '--set', 'tasks.query=50', '-o', 'no'));
    const unfit = ['--set', 'loss=softmax', '--set', 'validation.metric=mae'];
    await refused(2, /"mae" is not computed for this task/, train('fold-in', ...unfit, '-o', 'no'));
    const given = ['--data', 'dataset', '--model', 'fold-in', '--backend', 'wasm', '-o', 'no'];
    await refused(
      3,
      /no scenario has a user/,
      recsys('evaluate', '--cold', ...given, '--set', 'cold.least=90'),
    );
    await refused(2, /reference/, recsys('evaluate', '--cold', ...given, '--set', 'reference=nobody'));
  });
});
