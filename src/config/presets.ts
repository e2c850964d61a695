import type { z } from 'zod';
import { presets } from './fields.js';
import { at } from './issues.js';
import { type Layer, mergeLayers } from './layers.js';

/** The layers, and under them the preset that they name. An unknown name is left to the schema to refuse. */
export function withPreset(schema: z.ZodType, layers: readonly Layer[]): readonly Layer[] {
  const table = presets.get(schema);
  const [first] = layers;
  if (table === undefined || first === undefined) return layers;
  const { preset: name } = mergeLayers(layers).value;
  if (typeof name !== 'string' || !Object.hasOwn(table, name)) return layers;
  const value = table[name];
  const where: Layer['where'] = (path, of) =>
    path.length > 0 && at(value, path) !== undefined ? `preset ${name}` : first.where(path, of);
  return [{ at: [], value, base: first.base, where }, ...layers];
}
