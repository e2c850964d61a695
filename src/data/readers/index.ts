import { extname } from 'node:path';
import type { FormatName } from '../source-schema.js';
import { delimited } from './delimited.js';
import { jsonMap } from './json-map.js';
import { jsonl } from './jsonl.js';
import { mind } from './mind.js';
import { parquet } from './parquet.js';
import type { Reader } from './reader.js';
import { sequence } from './sequence.js';

/** Every format that can be read. */
export const readers = {
  csv: delimited(','),
  tsv: delimited('\t'),
  jsonl,
  parquet,
  sequence,
  'json-map': jsonMap,
  mind,
} satisfies Record<FormatName, Reader>;

/** The format a file's name suggests, `.gz` aside; csv where it suggests none. */
export function formatOf(name: string): FormatName {
  const extension = extname(name.toLowerCase().replace(/\.gz$/, ''));
  if (extension === '.tsv') return 'tsv';
  if (extension === '.jsonl' || extension === '.ndjson') return 'jsonl';
  if (extension === '.parquet') return 'parquet';
  return 'csv';
}
