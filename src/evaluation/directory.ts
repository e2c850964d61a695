import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import { sha256 } from '../storage/hash.js';
import { decodeSafetensors, encodeSafetensors } from '../storage/safetensors.js';
import { versions } from '../storage/versions.js';
import type { TensorMap } from '../types.js';
import { EVALUATION_FORMAT, type Results, resultsSchema } from './results.js';
import type { EarlierRow } from './summary.js';

const RESULTS = 'results.json';
const VALUES = 'per_user.safetensors';
const USERS = 'users.jsonl';

/** An evaluation's directory in memory. */
export interface StoredEvaluation {
  readonly path: string;
  readonly results: Results;
  /** External user ids, in the order of the per-user values. */
  readonly users: readonly string[];
  /** Values by row name, then metric. */
  readonly perUser: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>;
}

/**
 * Writes an evaluation into an existing directory: `results.json`, the per-user values as `per_user.safetensors` (one tensor
 * [users] named `row/metric`) with `users.jsonl`, and `manifest.json` with checksums.
 */
export async function writeEvaluation(dir: string, content: Omit<StoredEvaluation, 'path'>): Promise<void> {
  const tensors: TensorMap = new Map();
  for (const [row, metrics] of content.perUser) {
    for (const [metric, data] of metrics)
      tensors.set(`${row}/${metric}`, { dtype: 'F32', shape: [data.length], data });
  }
  const contents: Record<string, Uint8Array | string> = {
    [RESULTS]: `${JSON.stringify(content.results, null, 2)}\n`,
    [VALUES]: encodeSafetensors(tensors),
    [USERS]: `${content.users.map((id) => JSON.stringify(id)).join('\n')}\n`,
  };
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const [name, data] of Object.entries(contents)) {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    await writeFile(join(dir, name), bytes);
    files[name] = { bytes: bytes.byteLength, sha256: sha256(bytes) };
  }
  const manifest = {
    kind: 'evaluation',
    formatVersion: EVALUATION_FORMAT,
    createdAt: new Date().toISOString(),
    versions: versions(),
    dataset: content.results.dataset,
    protocol: content.results.protocol,
    files,
  };
  await writeFile(join(dir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * Reads an evaluation's directory.
 *
 * @throws FILE_MISSING where there is none, DATA_UNREADABLE where a file of it is damaged or newer than this version
 */
export async function readEvaluation(dir: string): Promise<StoredEvaluation> {
  const path = join(dir, RESULTS);
  const parsed = resultsSchema.safeParse(parseJson((await readPart(dir, RESULTS)).toString('utf8'), path));
  if (!parsed.success) {
    throw new RecsysError(
      'DATA_UNREADABLE',
      `${path} is no evaluation's result: ${z.prettifyError(parsed.error)}`,
      {
        remedy: 'Give a directory that this version of `recsys evaluate` wrote.',
      },
    );
  }
  const lines = (await readPart(dir, USERS)).toString('utf8').trimEnd().split('\n');
  const users = lines.map((line) => z.string().parse(parseJson(line, join(dir, USERS))));
  const tensors = decodeSafetensors(await readPart(dir, VALUES), join(dir, VALUES));
  const perUser = new Map<string, Map<string, Float32Array>>();
  for (const [name, tensor] of tensors) {
    const cut = name.lastIndexOf('/');
    const metrics = perUser.get(name.slice(0, cut)) ?? new Map<string, Float32Array>();
    if (!(tensor.data instanceof Float32Array) || tensor.data.length !== users.length) {
      throw new RecsysError(
        'DATA_UNREADABLE',
        `${join(dir, VALUES)}: ${name} does not have one value a user`,
      );
    }
    perUser.set(name.slice(0, cut), metrics.set(name.slice(cut + 1), tensor.data));
  }
  return { path: dir, results: parsed.data, users, perUser };
}

/**
 * Rows of a stored evaluation with their values in the order of `users`.
 *
 * @throws PROTOCOL_MISMATCH where a user is missing in it
 */
export function alignedRows(stored: StoredEvaluation, users: readonly string[]): EarlierRow[] {
  const place = new Map(stored.users.map((id, i) => [id, i]));
  const order = Int32Array.from(users, (id) => {
    const at = place.get(id);
    if (at === undefined) throw new RecsysError('PROTOCOL_MISMATCH', `${stored.path} has no user ${id}`);
    return at;
  });
  return stored.results.rows.map(({ name, kind }) => {
    const metrics = [...(stored.perUser.get(name) ?? [])];
    return {
      name,
      kind,
      perUser: new Map(
        metrics.map(([metric, values]) => [metric, Float32Array.from(order, (at) => values[at]!)]),
      ),
    };
  });
}

async function readPart(dir: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(dir, name));
  } catch (cause) {
    throw new RecsysError('FILE_MISSING', `${dir} is no evaluation: ${name} cannot be read`, {
      remedy: 'Give a directory that `recsys evaluate` wrote.',
      cause,
    });
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RecsysError('DATA_UNREADABLE', `${where} is not JSON`, { cause });
  }
}
