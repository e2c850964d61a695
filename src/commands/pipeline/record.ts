import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';

/** Everything a stage's output depends on. */
export const inputsSchema = z.object({
  /** Version of recsys. */
  version: z.string(),
  stage: z.string(),
  config: z.unknown(),
  /** Identity of each path among the settings, by key. */
  paths: z.record(z.string(), z.string().nullable()),
});
export type Inputs = z.output<typeof inputsSchema>;

const recordSchema = z.object({
  state: z.enum(['running', 'done']),
  inputs: inputsSchema,
  /** Identity of what the stage wrote; null where it wrote nothing. */
  output: z.string().nullable(),
  result: z
    .looseObject({
      path: z.string().optional(),
      seconds: z.number(),
      metrics: z.record(z.string(), z.number()).optional(),
    })
    .optional(),
});
export type StageRecord = z.output<typeof recordSchema>;

const place = (out: string, id: string): string => join(out, '.pipeline', `${id}.json`);

/** The record of a stage's last run; undefined where there is none that can be read. */
export async function readRecord(out: string, id: string): Promise<StageRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(place(out, id), 'utf8')));
  } catch {
    return undefined;
  }
}

export async function writeRecord(out: string, id: string, record: StageRecord): Promise<void> {
  const file = place(out, id);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(record, null, 1)}\n`);
  await rename(`${file}.new`, file);
}

/** Why a stage must run again although a record of it is there; undefined where nothing it depends on has changed. */
export function changed(before: Inputs, now: Inputs): string | undefined {
  if (before.version !== now.version) return `recsys ${before.version} → ${now.version}`;
  if (before.stage !== now.stage) return `it was a ${before.stage} stage`;
  const plain = JSON.parse(JSON.stringify(now.config)) as unknown;
  const keys = differences(before.config, plain, '');
  if (keys.length > 0)
    return `settings changed: ${keys.slice(0, 4).join(', ')}${keys.length > 4 ? ', …' : ''}`;
  const inputs = Object.keys(now.paths).filter(
    (key) => now.paths[key] === null || now.paths[key] !== before.paths[key],
  );
  return inputs.length > 0 ? `input changed: ${inputs.join(', ')}` : undefined;
}

function differences(a: unknown, b: unknown, key: string): string[] {
  if (isDeepStrictEqual(a, b)) return [];
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return [key];
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].flatMap((name) =>
    differences(left[name], right[name], key === '' ? name : `${key}.${name}`),
  );
}
