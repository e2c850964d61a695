import { positionsOf } from './columns.js';
import type { RawValue, Reader } from './reader.js';
import { lines } from './source.js';

/** `order` of a history's first row: history rows have negative orders and so stand before every click. */
export const HISTORY_ORDER = -1e9;

/**
 * MIND's behaviors.tsv (Wu et al. 2020): impression id, user, time, clicked history, shown candidates `news-1` / `news-0`.
 * Each history entry is a row of behaviour `history` with a negative order; each clicked candidate one of behaviour `click`.
 */
export const mind: Reader = {
  columns: ['user', 'item', 'time', 'order', 'behaviour'],
  async read(request, sink) {
    const positions = positionsOf(request.columns, this.columns ?? [], request.name);
    for await (const [text, line] of lines(request)) {
      if (text === '') continue;
      const [, user, time, history, impressions] = text.split('\t');
      if (impressions === undefined) {
        sink.reject(line, 'missing columns', text);
        continue;
      }
      const emit = (item: string, order: number, behaviour: string) => {
        const row: readonly RawValue[] = [user, item, time, order, behaviour];
        sink.record(
          positions.map((p) => row[p]),
          line,
          () => `${user} ${item} ${time}`,
        );
      };
      (history ?? '')
        .split(' ')
        .filter(Boolean)
        .forEach((item, i) => {
          emit(item, HISTORY_ORDER + i, 'history');
        });
      impressions
        .split(' ')
        .filter((shown) => shown.endsWith('-1'))
        .forEach((shown, i) => {
          emit(shown.slice(0, -2), i, 'click');
        });
    }
  },
};
