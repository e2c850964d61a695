import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { COMMANDS } from '../../src/cli.js';
import { jsonSchema } from '../../src/commands/config.js';
import { alternatives, type Shape, shapeOf } from '../../src/config/shape.js';
import { starterYaml } from '../../src/config/starter.js';
import { parseYaml } from '../../src/config/yaml.js';

const FOLDER = new URL('../../configs/schemas/', import.meta.url);
const WITH_SETTINGS = [
  'generate',
  'prepare',
  'pretrain',
  'distill',
  'finetune',
  'meta-train',
  'adapt',
  'elicit',
  'compress',
  'evaluate',
  'recommend',
  'off-policy',
  'uplift',
  'export',
  'serve-online',
  'replay',
  'load-test',
  'chaos',
  'run',
  'tune',
] as const;

for (const name of WITH_SETTINGS) {
  test(`${name}: the committed JSON Schema is the code's (RECSYS_UPDATE=1 rewrites it)`, async () => {
    const { default: stage } = await COMMANDS[name].load();
    const file = new URL(`${name}.json`, FOLDER);
    if (process.env.RECSYS_UPDATE === '1') {
      await mkdir(FOLDER, { recursive: true });
      await writeFile(file, jsonSchema(stage));
    }
    assert.equal(
      await readFile(file, 'utf8'),
      jsonSchema(stage),
      `npx recsys config schema ${name} > configs/schemas/${name}.json`,
    );
  });

  test(`${name}: every key is described, and the starter is valid YAML`, async () => {
    const { default: stage } = await COMMANDS[name].load();
    const shape = shapeOf(stage.schema);
    assert.deepEqual(undescribed(shape, shape, ''), []);
    parseYaml(starterYaml(name, shape), name);
    parseYaml(starterYaml(name, shape).replaceAll(/^#((?: {2})*[\w-]+:)/gm, '$1'), name);
  });

  test(`${name}: its flags set keys that exist`, async () => {
    const { default: stage } = await COMMANDS[name].load();
    const shape = shapeOf(stage.schema);
    for (const [flag, { key }] of Object.entries(stage.flags)) {
      assert.ok(has(shape, shape, key.split('.')), `--${flag} sets ${key}`);
    }
  });
}

/** Keys without a description, those of nested mappings too. */
function undescribed(shape: Shape, root: Shape, prefix: string): string[] {
  return Object.entries(shape.properties ?? {}).flatMap(([key, inner]) => {
    const options = alternatives(inner, root);
    const own = inner.description ?? options.find((option) => option.description !== undefined)?.description;
    const missing = own === undefined && inner.const === undefined ? [`${prefix}${key}`] : [];
    return [...missing, ...options.flatMap((option) => undescribed(option, root, `${prefix}${key}.`))];
  });
}

function has(shape: Shape, root: Shape, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return true;
  return alternatives(shape, root).some((option) => {
    const inner = option.properties?.[key];
    return inner !== undefined && has(inner, root, rest);
  });
}
