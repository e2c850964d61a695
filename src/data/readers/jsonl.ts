import type { RawValue, Reader } from './reader.js';
import { lines } from './source.js';

/** One JSON object a line; a column is a key, dots reach into objects (`user.id`). */
export const jsonl: Reader = {
  async read(request, sink) {
    const paths = request.columns.map((column) => String(column).split('.'));
    for await (const [text, line] of lines(request)) {
      if (text.trim() === '') continue;
      let row: unknown;
      try {
        row = JSON.parse(text);
      } catch {
        sink.reject(line, 'not JSON', text);
        continue;
      }
      if (typeof row !== 'object' || row === null || Array.isArray(row)) {
        sink.reject(line, 'not a JSON object', text);
        continue;
      }
      const values = paths.map((path, i) => value(row, String(request.columns[i]), path));
      sink.record(values, line, () => text);
    }
  },
};

/** The value under `name` as it stands, else the one its dotted path leads to; a missing key is an empty value. */
function value(row: object, name: string, path: readonly string[]): RawValue {
  let at: unknown = row;
  if (Object.hasOwn(row, name)) at = (row as Record<string, unknown>)[name];
  else {
    for (const key of path) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return null;
      at = (at as Record<string, unknown>)[key];
    }
  }
  return scalar(at);
}

function scalar(found: unknown): RawValue {
  if (found === null || found === undefined) return null;
  if (Array.isArray(found)) return found.map(scalar);
  if (typeof found === 'object') return JSON.stringify(found);
  if (typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean') return found;
  return null;
}
