import { positionsOf } from './columns.js';
import type { Reader } from './reader.js';
import { lines } from './source.js';

/** `user item item item …`, one user a line, items oldest first (the files of S3-Rec and many benchmarks). */
export const sequence: Reader = {
  columns: ['user', 'item', 'order'],
  async read(request, sink) {
    const positions = positionsOf(request.columns, this.columns ?? [], request.name);
    const delimiter = request.delimiter ?? /\s+/;
    for await (const [text, line] of lines(request)) {
      if (text.trim() === '') continue;
      const [user, ...items] = text.trim().split(delimiter);
      if (items.length === 0) {
        sink.reject(line, 'a user without items', text);
        continue;
      }
      items.forEach((item, i) => {
        const row = [user, item, i + 1];
        sink.record(
          positions.map((p) => row[p]),
          line,
          () => `${user} … ${item}`,
        );
      });
    }
  },
};
