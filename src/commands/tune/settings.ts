import { dirname } from 'node:path';
import { type Layer, setLayer, splitSet, yamlLayer } from '../../config/layers.js';
import { resolveConfig } from '../../config/load.js';
import type { Key, YamlSource } from '../../config/yaml.js';
import { RecsysError } from '../../errors.js';
import { commonLayers, nowhere, readSettings, settingsLayer } from '../settings.js';
import type { Invocation, StageDefinition } from '../stage.js';
import { type TuneConfig, tuneSchema } from './schema.js';

/** A search as its file, `--set` and flags have it. */
export interface Search {
  readonly config: TuneConfig;
  readonly stage: StageDefinition;
  /** Settings that every trial has, before its own. */
  readonly layers: readonly Layer[];
  /** Layers that win over a trial's own: flags. */
  readonly last: readonly Layer[];
  /** The folder that paths in the file are relative to. */
  readonly base: string;
  /** How messages point at a place of the file. */
  where(path: readonly Key[], of: 'key' | 'value'): string;
}

const INNER = 'with.';

/**
 * Resolves the settings of a search and gathers those of its stage. Of the `--set`s, `with.key=value` is one of the stage.
 * @throws RecsysError CONFIG_INVALID and the like
 */
export async function searchSettings(
  tune: StageDefinition,
  invocation: Invocation,
  seed: number | undefined,
): Promise<Search> {
  const { configFile: file, cwd, sets, commands } = invocation;
  if (file === undefined) throw new RecsysError('USAGE', 'which search? `recsys tune search.yaml`');
  const source: YamlSource = await readSettings(file, cwd);
  const base = dirname(file);
  const inner = sets.filter((set) => splitSet(set).key.startsWith(INNER));
  const outer = sets.filter((set) => !inner.includes(set)).map((set) => setLayer(set, cwd));
  const { config } = resolveConfig(
    tuneSchema,
    [yamlLayer(source, base), ...outer, ...commonLayers(tune, seed, undefined, cwd)],
    'tune',
  );
  const stage = (await commands[config.stage]!.load()).default;
  const layers = [nowhere(cwd)];
  if (config.config !== undefined) layers.push(await settingsLayer(config.config, cwd));
  layers.push({
    at: [],
    value: config.with,
    base,
    where: (path, of) => source.where(['with', ...path], of),
  });
  for (const set of inner) layers.push(setLayer(set.trim().slice(INNER.length), cwd, set));
  const last = commonLayers(stage, undefined, invocation.backend, cwd);
  return { config, stage, layers, last, base, where: (path, of) => source.where(path, of) };
}
