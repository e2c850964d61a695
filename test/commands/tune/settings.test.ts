import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { COMMANDS } from '../../../src/cli.js';
import { isValid, planRungs, planTrials } from '../../../src/commands/tune/plan.js';
import { searchSettings } from '../../../src/commands/tune/settings.js';
import tune from '../../../src/commands/tune.js';
import type { RecsysError } from '../../../src/errors.js';
import { callCli, folder } from '../../cli/fake.js';

const SEARCH = `stage: pretrain
with: { data: ../dataset, epochs: 9, model: { name: transformer } }
search:
  optimizer.learningRate: { min: 0.001, max: 0.1, scale: log }
  model.dropout: [0, 0.5]
trials: 4
`;
const silent = { log: () => {} };

async function planned(
  t: TestContext,
  text: string,
  options: { sets?: string[]; seed?: number; backend?: string; files?: Record<string, string> } = {},
) {
  const cwd = await folder(t, { 'p/search.yaml': text, ...options.files });
  const search = await searchSettings(
    tune,
    {
      commands: COMMANDS,
      cwd,
      configFile: join(cwd, 'p/search.yaml'),
      sets: options.sets ?? [],
      backend: options.backend,
    },
    options.seed,
  );
  const trials = planTrials(search);
  const settings = trials.filter(isValid).map((trial) => trial.settings.config as Record<string, unknown>);
  return { cwd, search, trials, settings, rungs: planRungs(search, trials, silent) };
}

/** The command refuses the search before anything is written. */
async function refused(t: TestContext, text: string, message: RegExp, ...args: string[]): Promise<void> {
  const cwd = await folder(t, { 'p/search.yaml': text });
  await assert.rejects(
    callCli(['tune', 'p/search.yaml', '--out', 'found', ...args], COMMANDS, { cwd }),
    (error: RecsysError) => {
      assert.match(error.message, message);
      return error.code === 'CONFIG_INVALID' && error.exitCode === 2;
    },
  );
  assert.deepEqual(await readdir(cwd), ['p']);
}

test('trials: config < with < --set with.… < the trial’s values < flags; paths by where they stand', async (t) => {
  const text = `config: ../base.yaml\n${SEARCH}`;
  const { cwd, settings, trials } = await planned(t, text, {
    files: { 'base.yaml': 'epochs: 3\nbatchSize: 16\nmodel: { name: transformer, width: 8 }\n' },
    sets: ['with.clipNorm=2', 'with.data=here', 'trials=2'],
    backend: 'cpu',
  });
  assert.equal(settings.length, 2);
  for (const [index, config] of settings.entries()) {
    const { epochs, batchSize, clipNorm, backend } = config;
    assert.deepEqual(
      { epochs, batchSize, clipNorm, backend },
      { epochs: 9, batchSize: 16, clipNorm: 2, backend: 'cpu' },
    );
    assert.equal(config.data, join(cwd, 'here'));
    assert.deepEqual(
      [
        (config.optimizer as { learningRate: number }).learningRate,
        (config.model as { dropout: number }).dropout,
      ],
      Object.values(trials[index]!.values),
    );
    assert.equal((config.model as { width: number }).width, 8);
  }
});

test('--seed draws other trials; the training keeps its seed', async (t) => {
  const first = await planned(t, SEARCH);
  const second = await planned(t, SEARCH, { seed: 7 });
  assert.notDeepEqual(
    first.trials.map(({ values }) => values),
    second.trials.map(({ values }) => values),
  );
  assert.equal(second.settings[0]!.seed, 42);
});

test('halving: rungs from the stage’s epochs', async (t) => {
  const { rungs } = await planned(t, `${SEARCH}method: halving\neta: 2\n`);
  assert.deepEqual(rungs, [
    { trials: 4, epochs: 2 },
    { trials: 2, epochs: 4 },
    { trials: 1, epochs: 9 },
  ]);
});

test('values that are not valid together cost their trial alone', async (t) => {
  const text = SEARCH.replace(
    'model.dropout: [0, 0.5]',
    'model.heads: [1, 3]\n  model.width: [8, 9]',
  ).replace('trials: 4', 'trials: 12');
  const { trials, settings } = await planned(t, text);
  const invalid = trials.filter((trial) => !isValid(trial));
  assert.ok(invalid.length > 0 && settings.length > 0);
  for (const { values } of invalid) assert.equal(values['model.heads'], 3);
});

test('an unknown stage, an unknown key and a bad value are refused at their place', async (t) => {
  await refused(
    t,
    SEARCH.replace('pretrain', 'pretrian'),
    /p\/search\.yaml:1:8: stage: .*did you mean "pretrain"\?/,
  );
  await refused(
    t,
    SEARCH.replace('optimizer.learningRate', 'optimizer.learningrat'),
    /p\/search\.yaml:4:3: optimizer\.learningrat: unknown key; did you mean "learningRate"\?/,
  );
  await refused(
    t,
    SEARCH.replace('epochs: 9', 'epoch: 9'),
    /p\/search\.yaml:2:\d+: epoch: unknown key; did you mean "epochs"\?/,
  );
  await refused(
    t,
    SEARCH.replace('[0, 0.5]', '[0, 0.5, 7]'),
    /p\/search\.yaml:5:\d+: model\.dropout: expected at most 0\.95, found 7/,
  );
  await refused(
    t,
    SEARCH.replace('min: 0.001', 'min: 0'),
    /search\.optimizer\.learningRate\.min: a log scale begins above 0/,
  );
});

test('an empty range, an empty list, no key and no trials are refused', async (t) => {
  await refused(
    t,
    SEARCH.replace('max: 0.1', 'max: 0.0001'),
    /p\/search\.yaml:4:\d+: .*the range is empty: 0\.0001 is less than min, 0\.001/,
  );
  await refused(t, SEARCH.replace('scale: log', 'integer: true'), /no whole number from 0\.001 to 0\.1/);
  await refused(t, SEARCH.replace('[0, 0.5]', '[]'), /search\.model\.dropout: expected at least 1 entries/);
  await refused(t, SEARCH.replace(/search:\n.*\n.*\n/, 'search: {}\n'), /search: names no key/);
  await refused(
    t,
    SEARCH.replace('trials: 4', 'trials: 0'),
    /p\/search\.yaml:6:9: trials: expected at least 1, found 0/,
  );
  await refused(t, SEARCH.replace('scale: log', 'scal: log'), /scal: unknown key; did you mean "scale"\?/);
});

test('halving over epochs, and rungs before the first validation, are refused', async (t) => {
  await refused(
    t,
    `${SEARCH.replace('model.dropout: [0, 0.5]', 'epochs: [3, 9]')}method: halving\n`,
    /p\/search\.yaml:5:3: epochs: halving sets the epochs itself/,
  );
  await refused(
    t,
    `${SEARCH.replace('epochs: 9', 'epochs: 9, validation: { every: 4 }')}method: halving\nminEpochs: 2\n`,
    /p\/search\.yaml:8:12: minEpochs: the first rung ends after epoch 3, before the first validation \(validation\.every: 4\)/,
  );
});

test('a folder that holds something else is left alone; a search without out is refused', async (t) => {
  const cwd = await folder(t, { 'search.yaml': SEARCH });
  await assert.rejects(
    callCli(['tune', 'search.yaml'], COMMANDS, { cwd }),
    /the search says no `out`; give --out/,
  );
  await mkdir(join(cwd, 'mine'));
  await writeFile(join(cwd, 'mine/results.json'), '{"kind":"evaluation"}');
  await assert.rejects(
    callCli(['tune', 'search.yaml', '--out', 'mine', '--force'], COMMANDS, { cwd }),
    (error: RecsysError) => error.code === 'OUTPUT_EXISTS' && /no folder of a search/.test(error.message),
  );
  assert.deepEqual(await readdir(join(cwd, 'mine')), ['results.json']);
});

test('the trials of the ready example are valid', async () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const configFile = join(root, 'configs/movielens-100k/tune.yaml');
  const invocation = { commands: COMMANDS, cwd: root, configFile, sets: [], backend: undefined };
  const trials = planTrials(await searchSettings(tune, invocation, undefined));
  assert.equal(trials.length, 20);
  assert.ok(trials.every(isValid));
});
