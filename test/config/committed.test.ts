import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { COMMANDS } from '../../src/cli.js';
import { planPipeline } from '../../src/commands/pipeline/plan.js';
import { pipelineSchema } from '../../src/commands/pipeline/schema.js';
import { readSettings, settingsLayer } from '../../src/commands/settings.js';
import { flagLayer, type Layer, yamlLayer } from '../../src/config/layers.js';
import { resolveConfig } from '../../src/config/load.js';
import { shapeOf } from '../../src/config/shape.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const files = readdirSync(join(ROOT, 'configs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => join(ROOT, 'configs', name))
  .sort();

for (const file of files) {
  const name = relative(ROOT, file);
  const word = basename(file, '.yaml').split(/[.\-_]/)[0]!;
  const pipeline = word === 'pipeline' || /^stages:/m.test(readFileSync(file, 'utf8'));
  if (pipeline) test(`${name}: every stage of the pipeline is valid`, () => checkPipeline(file));
  else {
    const stage = Object.keys(COMMANDS).find((command) => command.split('-')[0] === word);
    test(`${name}: valid settings of ${stage ?? 'a stage'}`, () => checkStage(file, stage));
  }
}

async function checkPipeline(file: string): Promise<void> {
  const source = await readSettings(file, ROOT);
  const pipeline = resolveConfig(pipelineSchema, [yamlLayer(source, dirname(file))], 'run').config;
  const invocation = { commands: COMMANDS, cwd: ROOT, configFile: file, sets: [], backend: undefined };
  const plan = await planPipeline({ pipeline, source, invocation, file, out: '/out', seed: undefined });
  assert.equal(plan.length, pipeline.stages.length);
}

/** Input directories may be left to flags: they are filled in. */
async function checkStage(file: string, name: string | undefined): Promise<void> {
  assert.ok(name !== undefined, 'a file is named for its stage: prepare.yaml, pretrain-large.yaml …');
  const { default: stage } = await COMMANDS[name as keyof typeof COMMANDS].load();
  const layer = await settingsLayer(file, ROOT);
  const shape = shapeOf(stage.schema);
  const missing = (shape.required ?? []).filter((key) => !Object.hasOwn(layer.value as object, key));
  const inputs: Layer[] = missing.map((key) => flagLayer(key, key, 'given', ROOT));
  for (const key of missing)
    assert.ok(
      Object.values(stage.flags).some((flag) => flag.key === key),
      `${key} is missing and no flag sets it`,
    );
  resolveConfig(stage.schema, [layer, ...inputs], name);
}
