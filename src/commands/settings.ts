import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { flagLayer, type Layer, yamlLayer } from '../config/layers.js';
import { parseYaml, type YamlSource } from '../config/yaml.js';
import { RecsysError } from '../errors.js';
import { type StageDefinition, takes } from './stage.js';

/** A path as messages show it: relative to the working directory where it lies inside. */
export function shown(file: string, cwd: string): string {
  const inside = relative(cwd, file);
  return inside === '' || inside.startsWith('..') ? file : inside;
}

/**
 * Reads a YAML of settings.
 * @throws RecsysError CONFIG_UNREADABLE, CONFIG_SYNTAX
 */
export async function readSettings(file: string, cwd: string): Promise<YamlSource> {
  const name = shown(file, cwd);
  try {
    return parseYaml(new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file)), name);
  } catch (cause) {
    if (cause instanceof RecsysError) throw cause;
    throw new RecsysError('CONFIG_UNREADABLE', `${name}: ${reason(cause)}`, { cause });
  }
}

export async function settingsLayer(file: string, cwd: string): Promise<Layer> {
  const path = resolve(cwd, file);
  return yamlLayer(await readSettings(path, cwd), dirname(path));
}

function reason(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EISDIR') return 'this is a folder; a YAML file is expected';
  if (code === 'EACCES') return 'no permission to read it';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'not UTF-8 text';
  return cause instanceof Error ? cause.message : String(cause);
}

/** Settings set by nothing: what messages call the place of a key that no file, --set or flag gave. */
export const nowhere = (cwd: string): Layer => ({ at: [], value: {}, base: cwd, where: () => 'settings' });

/** The layers of `--seed` and `--backend`, for a stage that has settings of that name. */
export function commonLayers(
  stage: StageDefinition,
  seed: number | undefined,
  backend: string | undefined,
  cwd: string,
): Layer[] {
  const layers: Layer[] = [];
  if (seed !== undefined && takes(stage, 'seed')) layers.push(flagLayer('seed', 'seed', seed, cwd));
  if (backend !== undefined && takes(stage, 'backend'))
    layers.push(flagLayer('backend', 'backend', backend, cwd));
  return layers;
}
