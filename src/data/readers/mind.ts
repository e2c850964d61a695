import { positionsOf } from './columns.js';
import type { RawValue, Reader } from './reader.js';
import { lines } from './source.js';

/** `order` of a history's first row: history rows have negative orders and so stand before every click. */
export const HISTORY_ORDER = -1e9;

/** `behaviour` of a candidate that was shown and not clicked; such rows come only where column `impression` is wanted. */
export const SHOWN = 'shown';

const CANDIDATE = /^(\S+)-([01])$/;

/**
 * MIND's behaviors.tsv (Wu et al. 2020): impression id, user, time, clicked history, shown candidates `news-1` / `news-0`.
 * Each history entry is a row of behaviour `history` with a negative order; each clicked candidate one of behaviour `click`, the others
 * are of behaviour `shown`. A candidate without its label refuses the line.
 */
export const mind: Reader = {
  columns: ['user', 'item', 'time', 'order', 'behaviour', 'impression'],
  async read(request, sink) {
    const positions = positionsOf(request.columns, this.columns ?? [], request.name);
    const everything = request.columns.includes('impression');
    for await (const [text, line] of lines(request)) {
      if (text === '') continue;
      const [, user, time, history, impressions] = text.split('\t');
      if (impressions === undefined) {
        sink.reject(line, 'missing columns', text);
        continue;
      }
      const tokens = impressions.split(' ').filter(Boolean);
      const malformed = tokens.find((token) => !CANDIDATE.test(token));
      if (malformed !== undefined) {
        sink.reject(line, 'a shown item is neither item-0 nor item-1', malformed);
        continue;
      }
      const emit = (item: string, order: number, behaviour: string) => {
        const row: readonly RawValue[] = [user, item, time, order, behaviour, line];
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
      let clicks = 0;
      for (const token of tokens) {
        const item = token.slice(0, -2);
        if (token.endsWith('-1')) emit(item, clicks++, 'click');
        else if (everything) emit(item, 0, SHOWN);
      }
    }
  },
};
