import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeSafetensors } from '../storage/safetensors.js';
import type { FeatureTable, TensorMap } from '../types.js';
import type { Attribute, Side } from './attributes.js';
import { encodeFeatures, type Fitted, type Former } from './features.js';
import { FILES } from './paths.js';
import { identifier, literal, type Staging } from './staging.js';
import { writeVocabulary } from './vocabulary.js';

/** One side's vocabulary and features after writing. */
export interface Entities {
  /** External ids; entry 0 is ''. */
  readonly ids: readonly string[];
  readonly features: FeatureTable;
  readonly fitted: Fitted;
  /** Training rows by index. */
  readonly counts: Float32Array;
}

/** Writes `<side>.parquet`, its ids and its token names, and returns what the feature file needs. */
export async function writeEntities(
  side: Side,
  attributes: readonly Attribute[],
  count: number,
  staging: Staging,
  dir: string,
  old: { dir: string; former: Former } | undefined,
  cold: boolean,
): Promise<Entities> {
  const column = side === 'users' ? 'u' : 'i';
  const keepsTitles = old !== undefined && side === 'items';
  const names = attributes.map((a) => `, a.${identifier(a.name)}`).join('');
  const flag = cold ? `, coalesce(s.k IN (SELECT k FROM cold_${side}), false) AS cold` : '';
  await staging.run(
    `CREATE TABLE ${side}_rows AS SELECT s.idx AS index, s.id, ${keepsTitles ? 'coalesce(a.title, o.title) AS title' : 'a.title'},
       a.id IS NOT NULL AS described, CAST(coalesce(c.n, 0) AS INTEGER) AS train_count${flag}${names}
     FROM ${side} s LEFT JOIN attributes_${side} a ON a.id = s.id
     ${keepsTitles ? `LEFT JOIN read_parquet(${literal(join(old.dir, FILES.entities[side]))}) o ON o.id = s.id` : ''}
     LEFT JOIN (SELECT ${column} AS k, count(*) AS n FROM rows WHERE split = 0 GROUP BY 1) c ON c.k = s.k ORDER BY s.idx`,
  );
  const human = attributes.map((a) =>
    a.type === 'date'
      ? `, make_timestamp(CAST(${identifier(a.name)} AS BIGINT) * 1000) AS ${identifier(a.name)}`
      : `, ${identifier(a.name)}`,
  );
  const title = side === 'items' || (await hasTitles(staging, side)) ? ', title' : '';
  await staging.run(
    `COPY (SELECT index, id${title}, train_count${cold ? ', cold' : ''}${human.join('')} FROM ${side}_rows ORDER BY index)
     TO ${literal(join(dir, FILES.entities[side]))} (FORMAT parquet, COMPRESSION zstd)`,
  );
  const ids: string[] = [''];
  const counts = new Float32Array(count + 1);
  for await (const chunk of staging.chunks(
    `SELECT index, id, train_count FROM ${side}_rows ORDER BY index`,
  )) {
    for (const [index, id, rows] of chunk.getRows()) {
      ids.push(String(id));
      counts[Number(index)] = Number(rows);
    }
  }
  await writeVocabulary(join(dir, FILES.ids[side]), ids.slice(1));
  const { table, fitted } = await encodeFeatures(side, attributes, count, staging, old?.former);
  await writeVocabulary(join(dir, FILES.tokens[side]), fitted.tokenNames.slice(1));
  return { ids, features: table, fitted, counts };
}

async function hasTitles(staging: Staging, side: Side): Promise<boolean> {
  const [titled] = await staging.numbers(`SELECT count(title) FROM attributes_${side}`);
  return titled! > 0;
}

/** Writes features.safetensors (item.tokens, item.numbers, item.counts, user.tokens, user.numbers) and features.json. */
export async function writeFeatures(dir: string, items: Entities, users: Entities): Promise<void> {
  const tensors: TensorMap = new Map();
  for (const [name, { features }] of [
    ['item', items],
    ['user', users],
  ] as const) {
    const { rows, width, tokens, numbers, numberNames } = features;
    tensors.set(`${name}.tokens`, { dtype: 'I32', shape: [rows, width], data: tokens });
    tensors.set(`${name}.numbers`, { dtype: 'F32', shape: [rows, numberNames.length], data: numbers });
  }
  tensors.set('item.counts', { dtype: 'F32', shape: [items.counts.length], data: items.counts });
  await writeFile(join(dir, FILES.features), encodeSafetensors(tensors));
  const scalings = { items: items.fitted.scalings, users: users.fitted.scalings };
  await writeFile(join(dir, FILES.scalings), `${JSON.stringify(scalings, null, 2)}\n`);
}
