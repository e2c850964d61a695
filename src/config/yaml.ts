import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { RecsysError } from '../errors.js';

export type Key = string | number;

/** A YAML text as plain values, and where in the text each of them stands. */
export interface YamlSource {
  readonly value: Readonly<Record<string, unknown>>;
  /** `name:line:column` of a value, or of its key; the nearest enclosing place where it is not in the text. */
  where(path: readonly Key[], of: 'key' | 'value'): string;
}

/**
 * Parses one YAML document whose root is a mapping (an empty text counts as an empty mapping).
 *
 * @param name how messages call the text: its path as the user knows it
 * @throws RecsysError CONFIG_SYNTAX, every syntax error with its line and column
 */
export function parseYaml(text: string, name: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    const all = document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`);
    throw new RecsysError('CONFIG_SYNTAX', all.join('\n'));
  }
  const root = document.contents;
  if (root !== null && !isMap(root) && !(isScalar(root) && root.value === null)) {
    throw new RecsysError(
      'CONFIG_SYNTAX',
      `${name}:1:1: expected a mapping (key: value), found ${isSeq(root) ? 'a list' : 'a single value'}`,
    );
  }
  return {
    value: toPlain(document, name),
    where(path, of) {
      let node: unknown = root;
      let offset = isMap(root) ? (root.range?.[0] ?? 0) : 0;
      for (const [depth, key] of path.entries()) {
        const last = depth === path.length - 1;
        if (isMap(node)) {
          const pair = node.items.find((item) => isPair(item) && keyText(item.key) === String(key));
          if (pair === undefined) break;
          offset = start(last && of === 'key' ? pair.key : (pair.value ?? pair.key)) ?? offset;
          node = pair.value;
        } else if (isSeq(node)) {
          node = node.items[Number(key)];
          offset = start(node) ?? offset;
        } else break;
      }
      return at(offset);
    },
  };
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function start(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function toPlain(document: ReturnType<typeof parseDocument>, name: string): Record<string, unknown> {
  try {
    return (document.toJS() ?? {}) as Record<string, unknown>;
  } catch (cause) {
    throw new RecsysError(
      'CONFIG_SYNTAX',
      `${name}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

/** One value in YAML notation, as `--set key=value` has it: `3`, `true`, `[1, 2]`, `text`. */
export function parseYamlValue(text: string, name: string): unknown {
  const document = parseDocument(text, { prettyErrors: false });
  if (document.errors.length > 0) {
    throw new RecsysError(
      'CONFIG_SYNTAX',
      `${name}: ${document.errors.map((error) => error.message).join('; ')}`,
    );
  }
  return document.toJS() as unknown;
}
