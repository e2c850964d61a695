import { z } from 'zod';
import type { FeatureTable } from '../types.js';
import type { Attribute, Side } from './attributes.js';
import { bucketsOf } from './hashing.js';
import { identifier, type Staging } from './staging.js';

/** How a number attribute became a feature: (x − mean) / deviation, where x is the value, log(1 + value), or days. */
export const scalingSchema = z.object({
  name: z.string(),
  mean: z.number(),
  deviation: z.number(),
  log: z.boolean(),
  date: z.boolean(),
});
export type Scaling = z.infer<typeof scalingSchema>;

/** What is fitted on training rows; an extended dataset hands its own on. */
export interface Fitted {
  /** Entry 0 is ''. */
  readonly tokenNames: readonly string[];
  readonly scalings: readonly Scaling[];
}

/** The features of an extended dataset: entities that the new files do not describe keep theirs. */
export interface Former extends Fitted {
  readonly table: FeatureTable;
}

const DAY = 86_400_000;

/** Words of a text: runs of letters and digits, lower case. */
export function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/**
 * Encodes the attributes of `<side>_rows(index, train_count, described, …)` for models. Token names and scalings are fitted on
 * entities with training rows only; those of `old` are kept as they are, with new ones after them.
 */
export async function encodeFeatures(
  side: Side,
  attributes: readonly Attribute[],
  count: number,
  staging: Staging,
  old: Former | undefined,
): Promise<{ table: FeatureTable; fitted: Fitted }> {
  const seen = attributes.filter((a) => a.feature);
  const tokenised = seen.filter((a) => a.type !== 'number' && a.type !== 'date');
  const numeric = seen.filter((a) => a.type === 'number' || a.type === 'date');
  const columns = [...tokenised, ...numeric].map((a) =>
    a.type === 'tags' ? `array_to_string(${identifier(a.name)}, chr(31))` : identifier(a.name),
  );
  const sql = `SELECT ${['index', 'train_count', 'described', ...columns].join(', ')} FROM ${side}_rows ORDER BY index`;

  const counts = tokenised.map(() => new Map<string, number>());
  const moments = numeric.map(() => ({ n: 0, mean: 0, m2: 0 }));
  let width = 0;
  for await (const row of each(staging, sql)) {
    if (Number(row[1]) === 0) continue;
    tokenised.forEach((a, n) => {
      for (const token of tokensOf(a, row[3 + n])) counts[n]!.set(token, (counts[n]!.get(token) ?? 0) + 1);
    });
    numeric.forEach((a, n) => {
      const value = measure(a.log, a.type === 'date', row[3 + tokenised.length + n]);
      if (value !== undefined) welford(moments[n]!, value);
    });
  }

  const tokenNames = old ? [...old.tokenNames] : [''];
  const index = new Map(tokenNames.map((name, n) => [name, n]));
  tokenised.forEach((a, n) => {
    const least = a.minCount ?? (a.type === 'text' && a.buckets === undefined ? 5 : 1);
    for (const [token, times] of counts[n]!) {
      const name = a.name + token;
      if (times >= least && !index.has(name)) index.set(name, tokenNames.push(name) - 1);
    }
  });
  const scalings = [...(old?.scalings ?? [])];
  numeric.forEach((a, n) => {
    if (scalings.some((s) => s.name === a.name)) return;
    const { n: seen, mean, m2 } = moments[n]!;
    const deviation = seen > 0 ? Math.sqrt(m2 / seen) : 0;
    scalings.push({
      name: a.name,
      mean,
      deviation: deviation > 0 ? deviation : 1,
      log: a.log,
      date: a.type === 'date',
    });
  });

  const rows = count + 1;
  const ragged: number[][] = [];
  const numbers = new Float32Array(rows * scalings.length);
  for await (const row of each(staging, sql)) {
    const at = Number(row[0]);
    const tokens: number[] = [];
    if (old && row[2] === false && at < old.table.rows) {
      ragged[at] = copyRow(old.table, at, numbers, scalings.length);
      width = Math.max(width, ragged[at].length);
      continue;
    }
    tokenised.forEach((a, n) => {
      const known: number[] = [];
      for (const token of tokensOf(a, row[3 + n])) {
        const code = index.get(a.name + token);
        if (code !== undefined && known.length < a.limit) known.push(code);
      }
      tokens.push(...known);
    });
    ragged[at] = tokens;
    width = Math.max(width, tokens.length);
    numeric.forEach((a, n) => {
      const slot = scalings.findIndex((s) => s.name === a.name);
      const { mean, deviation, log, date } = scalings[slot]!;
      const value = measure(log, date, row[3 + tokenised.length + n]);
      if (value !== undefined) numbers[at * scalings.length + slot] = (value - mean) / deviation;
    });
  }
  const tokens = new Int32Array(rows * width);
  ragged.forEach((list, at) => {
    tokens.set(list, at * width);
  });
  const table = { rows, width, tokens, tokenNames, numbers, numberNames: scalings.map((s) => s.name) };
  return { table, fitted: { tokenNames, scalings } };
}

/** Copies an entity's numbers (old ones come first) and returns its tokens. */
function copyRow(from: FeatureTable, at: number, numbers: Float32Array, stride: number): number[] {
  const own = from.numberNames.length;
  numbers.set(from.numbers.subarray(at * own, (at + 1) * own), at * stride);
  return Array.from(from.tokens.subarray(at * from.width, (at + 1) * from.width)).filter((t) => t > 0);
}

async function* each(staging: Staging, sql: string): AsyncGenerator<unknown[]> {
  for await (const chunk of staging.chunks(sql)) yield* chunk.getRows();
}

/** What of a value becomes tokens, each once, as it stands in their names after the attribute's: `=value`, or `#bucket/buckets`. */
function tokensOf(a: Attribute, value: unknown): readonly string[] {
  if (typeof value !== 'string' || value === '') return [];
  // How many buckets there are is part of the name: of another number, a bucket is another token.
  if (a.buckets !== undefined)
    return bucketsOf(words(value.normalize('NFC')), a.buckets).map((bucket) => `#${bucket}/${a.buckets}`);
  const values =
    a.type === 'tags' ? value.split('\u001f') : a.type === 'text' ? new Set(words(value)) : [value];
  return Array.from(values, (token) => `=${token}`);
}

function measure(log: boolean, date: boolean, value: unknown): number | undefined {
  if (typeof value !== 'number') return undefined;
  if (date) return value / DAY;
  return log ? Math.log1p(value) : value;
}

/** Running mean and sum of squared differences (Welford 1962). */
function welford(moments: { n: number; mean: number; m2: number }, value: number): void {
  moments.n++;
  const delta = value - moments.mean;
  moments.mean += delta / moments.n;
  moments.m2 += delta * (value - moments.mean);
}
