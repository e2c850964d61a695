import { createHash } from 'node:crypto';
import { SPLIT } from './dataset.js';
import type { Entities } from './entities.js';
import { IMPRESSION_ROWS } from './impressions.js';
import type { Staging } from './staging.js';

/** Hashes of what a dataset says, not of how its files store it: independent of paths, compression and the time of running. */
export interface Hashes {
  readonly fingerprint: string;
  readonly testSetHash: string;
}

/**
 * SHA-256 over the rows of the staging table `final` in order, column by column, with the vocabularies and features; and over the
 * test rows alone (user id, item id, position among the user's rows). Impressions, where they are kept, are hashed with them.
 */
export async function hashContents(
  staging: Staging,
  users: Entities,
  items: Entities,
  behaviours: readonly { name: string; weight: number }[],
  impressions: boolean,
): Promise<Hashes> {
  const columns = Array.from({ length: 6 }, () => createHash('sha256'));
  const test = createHash('sha256');
  let user = 0;
  let position = 0;
  const sql =
    'SELECT user_index, item_index, CAST("time" AS DOUBLE), CAST(behaviour AS INTEGER), CAST(value AS DOUBLE), CAST(split AS INTEGER) FROM final';
  for await (const chunk of staging.chunks(sql)) {
    const buffers = columns.map(() => new Float64Array(chunk.rowCount));
    for (const [c, buffer] of buffers.entries()) {
      const vector = chunk.getColumnVector(c);
      for (let r = 0; r < buffer.length; r++) {
        const cell = vector.getItem(r);
        buffer[r] = cell === null ? Number.NaN : Number(cell);
      }
      columns[c]!.update(new Uint8Array(buffer.buffer));
    }
    const [u, i, , , , split] = buffers;
    for (let r = 0; r < chunk.rowCount; r++) {
      position = u![r] === user ? position + 1 : 0;
      user = u![r]!;
      if (split![r] === SPLIT.test) test.update(`${users.ids[user]}\0${items.ids[i![r]!]}\0${position}\n`);
    }
  }
  const whole = createHash('sha256');
  for (const column of columns) whole.update(column.digest());
  whole.update(JSON.stringify(behaviours));
  for (const side of [users, items]) {
    for (const id of side.ids) whole.update(`${id}\n`);
    whole.update(JSON.stringify([side.features.tokenNames, side.features.numberNames]));
    for (const part of [side.features.tokens, side.features.numbers])
      whole.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  }
  if (impressions)
    for await (const chunk of staging.chunks(IMPRESSION_ROWS))
      for (const row of chunk.getRows()) whole.update(`${row.join(' ')}\n`);
  return { fingerprint: whole.digest('hex'), testSetHash: test.digest('hex') };
}
