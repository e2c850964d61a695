import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Catalogue, FeatureTable } from '../../src/types.js';

/** Ratings as clicks: label 1 from four stars on. */
export interface ClickStream {
  readonly name: string;
  readonly users: readonly string[];
  /** [events] rows of the catalogue. */
  readonly items: Int32Array;
  readonly labels: Uint8Array;
  readonly catalogue: Catalogue;
}

function lines(folder: string, name: string): string[] | undefined {
  const plain = join(folder, name);
  const packed = `${plain}.gz`;
  if (!existsSync(plain) && !existsSync(packed)) return undefined;
  const bytes = existsSync(packed) ? gunzipSync(readFileSync(packed)) : readFileSync(plain);
  return bytes.toString('latin1').split(/\r?\n/).filter(Boolean);
}

/** Rating, user, item, and a time, in the order of the file. */
type Row = readonly [user: number, item: number, rating: number, time: number];

/**
 * The stream of a MovieLens folder. ml-100k, and ml-1m with `ratings.dat`: by time. ml-1m without its times (`ratings.no-timestamps.csv`): users from the
 * last to the first, as they came, each one's ratings in their order.
 */
export function readStream(folder: string): ClickStream {
  const named = (name: string) => lines(folder, name);
  const numbers = (line: string, by: string): Row => line.split(by).map(Number) as unknown as Row;
  const of100k = named('u.data');
  const timed = named('ratings.dat');
  const ordered = named('ratings.no-timestamps.csv');
  const found =
    of100k?.map((line) => numbers(line, '\t')) ??
    timed?.map((line) => numbers(line, '::')) ??
    ordered?.slice(1).map((line) => numbers(line, ','));
  if (!found) throw new Error(`no ratings of MovieLens 100K or 1M in ${folder}`);
  const byUser = of100k === undefined && timed === undefined;
  const rows = found.sort((a, b) => (byUser ? b[0] - a[0] : 0) || a[3] - b[3]);
  const genres = of100k ? genres100k(named('u.item')!) : genres1m(named('movies.dat')!);
  const ids = [...new Set(rows.map(([, item]) => item))].sort((a, b) => a - b);
  const rowOf = new Map(ids.map((id, i) => [id, i + 1]));
  return {
    name: of100k ? 'ml-100k' : 'ml-1m',
    users: rows.map(([user]) => String(user)),
    items: Int32Array.from(rows, ([, item]) => rowOf.get(item)!),
    labels: Uint8Array.from(rows, ([, , rating]) => Number(rating >= 4)),
    catalogue: catalogueOf(ids.map(String), genres),
  };
}

const genres1m = (movies: readonly string[]) =>
  new Map(
    movies.map((line) => {
      const [id, , genres] = line.split('::') as [string, string, string];
      return [id, genres.split('|').map((genre) => genre.replaceAll(/[: ]/g, '_'))];
    }),
  );

const genres100k = (items: readonly string[]) =>
  new Map(
    items.map((line) => {
      const fields = line.split('|');
      return [fields[0]!, fields.slice(-19).flatMap((flag, g) => (flag === '1' ? [`g${g}`] : []))];
    }),
  );

function catalogueOf(ids: readonly string[], genres: ReadonlyMap<string, readonly string[]>): Catalogue {
  const own = ids.map((id) => genres.get(id) ?? []);
  const names = [...new Set(own.flat())].sort();
  const width = Math.max(...own.map(({ length }) => length));
  const tokens = new Int32Array((ids.length + 1) * width);
  for (const [row, of] of own.entries())
    for (const [i, genre] of of.entries()) tokens[(row + 1) * width + i] = names.indexOf(genre) + 1;
  const none = (rows: number): FeatureTable => ({
    ...{ rows, width: 0, tokens: new Int32Array(0), tokenNames: [''] },
    ...{ numbers: new Float32Array(0), numberNames: [] },
  });
  return {
    users: [''],
    items: ['', ...ids],
    behaviours: ['rating'],
    titles: ['', ...ids],
    itemFeatures: {
      ...none(ids.length + 1),
      ...{ width, tokens, tokenNames: ['', ...names.map((name) => `genres=${name}`)] },
    },
    userFeatures: none(1),
    itemCounts: new Float32Array(ids.length + 1),
  };
}

/** Writes a stream as Vowpal Wabbit reads it, the same features; the other peers read the file too. Ids have a letter: numbers alone it would not hash. */
export function writeStream({ users, items, labels, catalogue }: ClickStream, path: string): void {
  const { tokens, width, tokenNames } = catalogue.itemFeatures;
  const genres = catalogue.items.map((_, row) =>
    Array.from(tokens.subarray(row * width, (row + 1) * width), (token) => tokenNames[token]!)
      .filter((name) => name !== '')
      .map((name) => name.replace('=', '_'))
      .join(' '),
  );
  const text = users.map((user, n) => {
    const item = items[n]!;
    return `${labels[n] === 1 ? 1 : -1} |u u${user} |i i${catalogue.items[item]} |g ${genres[item]}\n`;
  });
  writeFileSync(path, text.join(''));
}

/** The beginning of a stream. */
export function firstEvents(stream: ClickStream, count: number): ClickStream {
  const { users, items, labels } = stream;
  return {
    ...stream,
    users: users.slice(0, count),
    items: items.slice(0, count),
    labels: labels.slice(0, count),
  };
}
