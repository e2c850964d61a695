import { RecsysError } from '../../errors.js';
import { positionsOf } from './columns.js';
import type { RawValue, Reader } from './reader.js';
import { openBytes, unreadable } from './source.js';

/** One JSON object `{"id": [value, …], …}`: an entity's attribute values by its id. Read whole: such files are small. */
export const jsonMap: Reader = {
  columns: ['id', 'values'],
  async read(request, sink) {
    const positions = positionsOf(request.columns, this.columns ?? [], request.name);
    const bytes = await openBytes(request);
    bytes.setEncoding(request.encoding === 'latin-1' ? 'latin1' : 'utf8');
    let text = '';
    try {
      for await (const chunk of bytes) text += chunk;
    } catch (error) {
      throw unreadable(request, error);
    }
    let map: unknown;
    try {
      map = JSON.parse(text);
    } catch (error) {
      throw new RecsysError('DATA_UNREADABLE', `${request.path}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (typeof map !== 'object' || map === null || Array.isArray(map))
      throw new RecsysError('DATA_UNREADABLE', `${request.path}: expected one JSON object of id → values`);
    let entry = 0;
    for (const [id, found] of Object.entries(map)) {
      entry++;
      const values: RawValue = (Array.isArray(found) ? found : [found]).map((v) =>
        v === null ? null : String(v),
      );
      const row: readonly RawValue[] = [id, values];
      sink.record(
        positions.map((p) => row[p]),
        entry,
        () => `${id}: ${JSON.stringify(found)}`,
      );
    }
  },
};
