import { RecsysError } from '../errors.js';
import { type Key, parseYamlValue, type YamlSource } from './yaml.js';

/** One source of settings: a YAML, one `--set`, one flag. Later layers win over earlier ones. */
export interface Layer {
  /** Where in the config the value goes; [] is the root. */
  readonly at: readonly Key[];
  readonly value: unknown;
  /** Folder that relative paths in the value are relative to. */
  readonly base: string;
  /** How messages point at a place of the config that this layer set. */
  where(path: readonly Key[], of: 'key' | 'value'): string;
}

export function yamlLayer(source: YamlSource, base: string): Layer {
  return { at: [], value: source.value, base, where: (path, of) => source.where(path, of) };
}

export function flagLayer(flag: string, key: string, value: unknown, cwd: string): Layer {
  return { at: splitKey(key), value, base: cwd, where: () => `--${flag}` };
}

/**
 * `key.path=value`, the value in YAML notation.
 * @throws RecsysError USAGE where the `=` or the key is missing
 */
export function setLayer(assignment: string, cwd: string, show = assignment): Layer {
  const { key, text } = splitSet(assignment);
  return {
    at: splitKey(key),
    value: parseYamlValue(text, `--set ${show}`),
    base: cwd,
    where: () => `--set ${show}`,
  };
}

export function splitSet(assignment: string): { key: string; text: string } {
  const equals = assignment.indexOf('=');
  const key = assignment.slice(0, Math.max(0, equals)).trim();
  if (key === '' || key.split('.').includes('')) {
    throw new RecsysError('USAGE', `--set ${assignment}: expected key.path=value`);
  }
  return { key, text: assignment.slice(equals + 1) };
}

export function splitKey(key: string): Key[] {
  return key.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** Settings of all layers in one value, each remembering its layer. */
export interface Merged {
  readonly value: Record<string, unknown>;
  /** The layer that set the value at `path`, or the nearest enclosing one that was set. */
  origin(path: readonly Key[]): Layer | undefined;
}

/** Merges mappings key by key; anything else (lists too) is replaced by the later layer. */
export function mergeLayers(layers: readonly Layer[]): Merged {
  const root: { config: unknown } = { config: {} };
  const origins = new Map<string, Layer>();
  const id = (path: readonly Key[]): string => JSON.stringify(path.map(String));

  const put = (
    holder: Record<Key, unknown>,
    key: Key,
    path: readonly Key[],
    value: unknown,
    layer: Layer,
  ): void => {
    const present = Object.hasOwn(holder, key) ? holder[key] : undefined;
    if (isRecord(value) && isRecord(present)) {
      for (const [name, inner] of Object.entries(value)) put(present, name, [...path, name], inner, layer);
      return;
    }
    const prefix = id(path).slice(0, -1);
    for (const known of origins.keys()) if (known.startsWith(`${prefix},`)) origins.delete(known);
    origins.set(id(path), layer);
    define(holder, key, structuredClone(value));
  };

  for (const layer of layers) {
    let holder = root as unknown as Record<Key, unknown>;
    let key: Key = 'config';
    for (const [depth, part] of layer.at.entries()) {
      const present = Object.hasOwn(holder, key) ? holder[key] : undefined;
      if (!isRecord(present) && !(Array.isArray(present) && typeof part === 'number')) {
        origins.set(id(layer.at.slice(0, depth)), layer);
        define(holder, key, {});
      }
      holder = holder[key] as Record<Key, unknown>;
      key = part;
    }
    put(holder, key, layer.at, layer.value, layer);
  }
  return {
    value: isRecord(root.config) ? root.config : {},
    origin(path) {
      for (let length = path.length; length >= 0; length--) {
        const layer = origins.get(id(path.slice(0, length)));
        if (layer !== undefined) return layer;
      }
      return layers[0];
    },
  };
}

/** Sets an own property whatever its name (`__proto__` included). */
function define(holder: Record<Key, unknown>, key: Key, value: unknown): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
