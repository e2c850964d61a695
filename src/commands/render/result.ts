import type { StageResult } from '../stage.js';

/**
 * What goes to stdout: with `json` one object on one line, else the stage's text, else the path on one line.
 * A text that stands for the whole result stays in the object only where there is nothing else in it.
 */
export function renderResult(result: StageResult, json: boolean): string {
  if (json) {
    const { text, ...rest } = result;
    const data = Object.keys(rest).length > 1 ? rest : result;
    return `${JSON.stringify(data, plainNumbers)}\n`;
  }
  if (result.text !== undefined)
    return result.text.endsWith('\n') || result.text === '' ? result.text : `${result.text}\n`;
  return result.path === undefined ? '' : `${result.path}\n`;
}

/** JSON has no NaN or infinity: they become null. Maps become objects, typed arrays lists. */
function plainNumbers(_key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return Array.from(value as unknown as ArrayLike<number>);
  if (typeof value === 'bigint') return value.toString();
  return value;
}
