import type { StageContext } from '../../types.js';

/** Anything that begins like a key, up to what cannot be part of one; a key cut short or percent-encoded as well. */
const KEY = /rsk_[\w.%~+=-]+/gi;

/** A text without the keys in it. */
export const masked = (text: string): string => text.replaceAll(KEY, 'rsk_…');

/** A log that no key gets into, whatever a message or field quotes. */
export function maskingLog(log: StageContext['log']): StageContext['log'] {
  return (level, message, fields) =>
    log(
      level,
      masked(message),
      fields && (JSON.parse(masked(JSON.stringify(fields))) as Record<string, unknown>),
    );
}
