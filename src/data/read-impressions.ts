import { join } from 'node:path';
import { RecsysError } from '../errors.js';
import { type Dataset, SPLIT } from './dataset.js';
import { FILES } from './paths.js';
import { scan } from './scan.js';

/** What was shown together in one part of a dataset, in the order of the source. */
export interface Impressions {
  /** Number of impressions. */
  readonly length: number;
  /** Each one's number in the source, from 1. */
  readonly number: Int32Array;
  /** Each one's first click, as a row of the interactions: what the user did before stands before it. */
  readonly row: Int32Array;
  /** [length + 1] the items of impression n are offsets[n] … offsets[n + 1] − 1. */
  readonly offsets: Int32Array;
  /** Item indices as they were shown, each once. */
  readonly item: Int32Array;
  /** 1 where the item was clicked. */
  readonly clicked: Uint8Array;
}

/**
 * Reads one part's impressions. Memory: 5 bytes an item shown.
 *
 * @throws DATA_EMPTY where the dataset keeps none, DATASET_DAMAGED where the file is not as the manifest says
 */
export async function readImpressions(
  { path: dir, manifest }: Pick<Dataset, 'path' | 'manifest'>,
  part: keyof typeof SPLIT,
): Promise<Impressions> {
  if (!manifest.impressions)
    throw new RecsysError('DATA_EMPTY', `${manifest.name} keeps no impressions`, {
      remedy: 'Prepare it again with `interactions.impressions: true` (format mind).',
    });
  const path = join(dir, FILES.impressions);
  const length = manifest.impressions[part];
  const number = new Int32Array(length);
  const row = new Int32Array(length);
  const offsets = new Int32Array(length + 1);
  let shown = 0;
  await scan(path, `SELECT count(*) FROM $ WHERE split = ${SPLIT[part]}`, (cells) => {
    shown = Number(cells(0));
  });
  const item = new Int32Array(shown);
  const clicked = new Uint8Array(shown);
  let at = 0;
  let count = 0;
  const query = `SELECT impression, "row", item_index, clicked FROM $ WHERE split = ${SPLIT[part]}`;
  await scan(path, query, (cells) => {
    const here = Number(cells(0));
    if (count === 0 || number[count - 1] !== here) {
      if (count < length) {
        number[count] = here;
        row[count] = Number(cells(1));
      }
      count++;
    }
    item[at] = Number(cells(2));
    clicked[at] = cells(3) === true ? 1 : 0;
    offsets[count] = ++at;
  });
  if (count !== length)
    throw new RecsysError('DATASET_DAMAGED', `${path} has ${count} ${part} impressions instead of ${length}`);
  return { length, number, row, offsets, item, clicked };
}
