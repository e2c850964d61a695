import { dirname, join } from 'node:path';
import { type Layer, setLayer } from '../../config/layers.js';
import { resolveConfig } from '../../config/load.js';
import type { YamlSource } from '../../config/yaml.js';
import { RecsysError } from '../../errors.js';
import { hint } from '../../nearest.js';
import { commonLayers, nowhere, settingsLayer } from '../settings.js';
import type { Invocation, StageDefinition } from '../stage.js';
import type { Pipeline } from './schema.js';
import { divideSets, interpolate, type Overrides } from './variables.js';

/** A stage of a pipeline, ready to run. */
export interface PlannedStage {
  readonly id: string;
  readonly stage: StageDefinition;
  readonly config: unknown;
  readonly paths: readonly { readonly key: string; readonly file: string }[];
  readonly out: string;
}

/** What a plan is made from. */
export interface Order {
  readonly pipeline: Pipeline;
  readonly source: YamlSource;
  readonly invocation: Invocation;
  readonly file: string;
  readonly out: string;
  readonly seed: number | undefined;
}

/**
 * Resolves the settings of every stage before the first one runs.
 * @throws RecsysError with everything that is wrong, in all stages
 */
export async function planPipeline(order: Order): Promise<PlannedStage[]> {
  const { pipeline, source, invocation } = order;
  const overrides = divideSets(invocation.sets, pipeline, invocation.cwd);
  const variables = new Map(overrides.variables);
  const planned: PlannedStage[] = [];
  const wrong: RecsysError[] = [];
  const complain = (index: number, key: string, message: string): void => {
    wrong.push(
      new RecsysError('CONFIG_INVALID', `${source.where(['stages', index, key], 'value')}: ${message}`),
    );
  };
  for (const [index, entry] of pipeline.stages.entries()) {
    if (variables.has(entry.id))
      complain(index, 'id', `the name "${entry.id}" is taken by an earlier stage or a variable`);
    try {
      const stage = await stageNamed(entry.stage, invocation, (message) => complain(index, 'stage', message));
      const settings = interpolate(entry.with, variables, (name) => {
        const later = pipeline.stages.some((other) => other.id === name);
        complain(
          index,
          'with',
          `\${${name}}: ${later ? 'this stage does not run before' : `no such stage or variable${hint(name, [...variables.keys()])}`}`,
        );
      });
      const out = join(order.out, entry.id);
      if (stage !== undefined) {
        const layers = await layersOf(order, overrides, index, settings, stage);
        planned.push({ id: entry.id, stage, out, ...resolveConfig(stage.schema, layers, entry.stage) });
      }
    } catch (error) {
      if (!(error instanceof RecsysError)) throw error;
      wrong.push(
        new RecsysError(error.code, `stage "${entry.id}": ${error.message}`, { remedy: error.remedy }),
      );
    }
    variables.set(entry.id, join(order.out, entry.id));
  }
  const [first] = wrong;
  if (first !== undefined)
    throw new RecsysError(first.code, wrong.map((error) => error.message).join('\n'), {
      remedy: first.remedy,
    });
  return planned;
}

async function stageNamed(
  name: string,
  invocation: Invocation,
  complain: (message: string) => void,
): Promise<StageDefinition | undefined> {
  const chains = Object.keys(invocation.commands).filter((key) => invocation.commands[key]?.chains === true);
  if (!chains.includes(name)) {
    complain(`"${name}" is no stage of pipelines${hint(name, chains)}`);
    return undefined;
  }
  return (await invocation.commands[name]!.load()).default;
}

/** The pipeline's seed and backend < the stage's own YAML < `with` < --set < --seed and --backend. */
async function layersOf(
  order: Order,
  overrides: Overrides,
  index: number,
  settings: unknown,
  stage: StageDefinition,
): Promise<Layer[]> {
  const { pipeline, source, invocation } = order;
  const entry = pipeline.stages[index]!;
  const { cwd } = invocation;
  const layers = [nowhere(cwd), ...commonLayers(stage, pipeline.seed, pipeline.backend, cwd)];
  if (entry.config !== undefined) layers.push(await settingsLayer(entry.config, cwd));
  layers.push({
    at: [],
    value: settings,
    base: dirname(order.file),
    where: (path, of) => source.where(['stages', index, 'with', ...path], of),
  });
  for (const set of overrides.stages.get(entry.id) ?? [])
    layers.push(setLayer(set, cwd, `${entry.id}.${set}`));
  return [...layers, ...commonLayers(stage, order.seed, invocation.backend, cwd)];
}
