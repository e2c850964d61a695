import { resolve } from 'node:path';
import { z } from 'zod';
import { resolveConfig } from '../config/load.js';
import { shapeOf } from '../config/shape.js';
import { starterYaml } from '../config/starter.js';
import { RecsysError } from '../errors.js';
import { hint } from '../nearest.js';
import { settingsLayer } from './settings.js';
import { allCommands, defineStage, type StageDefinition } from './stage.js';

const schema = z.object({
  action: z.enum(['schema', 'init', 'check']).describe('what to do'),
  stage: z.string().describe('the stage'),
  file: z.string().optional().describe('the YAML to check'),
});

/** `recsys config schema|init|check <stage> [file]` */
export default defineStage({
  name: 'config',
  describe: 'print, start or check the settings of a stage',
  schema,
  flags: {},
  positionals: [
    {
      name: 'action',
      key: 'action',
      describe: 'schema: print JSON Schema; init: print a commented starter YAML; check: check a YAML',
      required: true,
      choices: ['schema', 'init', 'check'],
    },
    { name: 'stage', key: 'stage', describe: 'the stage whose settings are meant', required: true },
    { name: 'file', key: 'file', describe: 'the YAML to check' },
  ],
  async run({ config, invocation }) {
    const stage = await find(config.stage, allCommands(invocation.commands));
    if (config.action === 'schema') return { seconds: 0, text: jsonSchema(stage) };
    if (config.action === 'init') return { seconds: 0, text: starterYaml(stage.name, shapeOf(stage.schema)) };
    const { file } = config;
    if (file === undefined)
      throw new RecsysError('USAGE', 'config check: which file? `recsys config check <stage> file.yaml`');
    resolveConfig(stage.schema, [await settingsLayer(file, invocation.cwd)], stage.name);
    return {
      seconds: 0,
      path: resolve(invocation.cwd, file),
      valid: true,
      text: `${file}: valid settings of ${stage.name}`,
    };
  },
});

async function find(
  name: string,
  commands: Record<string, { load(): Promise<{ default: StageDefinition }> }>,
): Promise<StageDefinition> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined)
    throw new RecsysError('USAGE', `unknown stage "${name}"${hint(name, Object.keys(commands))}`);
  return (await entry.load()).default;
}

/** JSON Schema of a stage's YAML, as committed under configs/schemas/. */
export function jsonSchema(stage: StageDefinition): string {
  return `${JSON.stringify({ title: `recsys ${stage.name}`, ...shapeOf(stage.schema) }, null, 2)}\n`;
}
