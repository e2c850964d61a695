import { resolve } from 'node:path';
import { splitSet } from '../../config/layers.js';
import { parseYamlValue } from '../../config/yaml.js';
import { RecsysError } from '../../errors.js';
import { hint } from '../../nearest.js';
import type { Pipeline } from './schema.js';

export type Variables = ReadonlyMap<string, string | number | boolean>;

/** `--set` of a pipeline, divided: variables, and per stage what follows `<id>.`. */
export interface Overrides {
  readonly variables: Variables;
  readonly stages: ReadonlyMap<string, readonly string[]>;
}

/**
 * Sets variables (`raw=path`) and finds the settings meant for stages (`teacher.epochs=3`).
 * @throws RecsysError USAGE for a name that is neither
 */
export function divideSets(sets: readonly string[], pipeline: Pipeline, cwd: string): Overrides {
  const ids = pipeline.stages.map((stage) => stage.id);
  const names = Object.keys(pipeline.vars);
  const variables = new Map<string, string | number | boolean>();
  for (const [name, value] of Object.entries(pipeline.vars))
    variables.set(name, typeof value === 'object' ? value.path : value);
  const stages = new Map<string, string[]>();
  for (const set of sets) {
    const { key, text } = splitSet(set);
    const dot = key.indexOf('.');
    const head = dot < 0 ? key : key.slice(0, dot);
    if (dot < 0 && names.includes(head)) {
      variables.set(head, typeof pipeline.vars[head] === 'object' ? resolve(cwd, text) : scalar(text, set));
    } else if (dot >= 0 && ids.includes(head)) {
      stages.set(head, [...(stages.get(head) ?? []), set.slice(dot + 1)]);
    } else {
      const known = [...names, ...ids.map((id) => `${id}.<key>`)];
      throw new RecsysError(
        'USAGE',
        `--set ${set}: "${head}" is neither a variable nor a stage of the pipeline${hint(head, [...names, ...ids])}`,
        {
          remedy: `Set one of: ${known.join(', ')}.`,
        },
      );
    }
  }
  return { variables, stages };
}

function scalar(text: string, set: string): string | number | boolean {
  const value = parseYamlValue(text, `--set ${set}`);
  return typeof value === 'number' || typeof value === 'boolean' ? value : text;
}

/**
 * Replaces `${name}` in every text of a value. A text that is one `${name}` alone takes the variable's type; `$${` stands
 * for `${`.
 *
 * @param unknown called with each name that has no value
 */
export function interpolate(value: unknown, variables: Variables, unknown: (name: string) => void): unknown {
  if (Array.isArray(value)) return value.map((inner) => interpolate(inner, variables, unknown));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, interpolate(inner, variables, unknown)]),
    );
  }
  if (typeof value !== 'string') return value;
  const look = (name: string): string | number | boolean => {
    const found = variables.get(name.trim());
    if (found === undefined) unknown(name.trim());
    return found ?? `\${${name}}`;
  };
  const alone = /^\$\{([^}]*)\}$/.exec(value);
  if (alone !== null) return look(alone[1]!);
  return value.replaceAll(/(\$?)\$\{([^}]*)\}/g, (all: string, escaped: string, name: string) =>
    escaped === '' ? String(look(name)) : all.slice(1),
  );
}
