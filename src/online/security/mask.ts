import type { StageContext } from '../../types.js';

/** Anything that begins like a key, up to what cannot be part of one; a key cut short or percent-encoded as well. */
const KEY = /rsk_[\w.%~+=-]+/gi;
const MASK = '…';
/** Fields that no setting lets into a log. */
const SECRET = new Set(['authorization', 'cookie', 'password', 'secret', 'token', 'apikey', 'webhook']);
/** Shorter texts stand in others by chance: they are taken out where they are quoted. */
const TELLING = 4;
/** Names of fields that are the interface's own, and no client's secret. */
const OURS = new Set(
  'id user item items events history behaviour time value context candidates exclude includeSeen state k adapter asked action after limit'.split(
    ' ',
  ),
);

/** A text without the keys in it. */
export const masked = (text: string): string => text.replaceAll(KEY, `rsk_${MASK}`);

/**
 * A log that no key gets into, whatever a message or field quotes, and no value of a field that is masked.
 * @param names fields that are masked at any depth, besides those that always are
 */
export function maskingLog(log: StageContext['log'], names: readonly string[] = []): StageContext['log'] {
  const hidden = new Set([...SECRET, ...names.map((name) => name.toLowerCase())]);
  const hide = (name: string, value: unknown): unknown =>
    hidden.has(name.toLowerCase()) && value !== undefined ? MASK : value;
  return (level, message, fields) =>
    log(
      level,
      masked(message),
      fields && (JSON.parse(masked(JSON.stringify(fields, hide))) as Record<string, unknown>),
    );
}

/** A text without the strings and numbers that some values hold at any depth: those of a request, which the message of an error may quote. */
export function without(text: string, ...values: readonly unknown[]): string {
  const told = [...leaves(values)].sort((a, b) => b.length - a.length);
  return told.reduce((rest, leaf) => {
    if (leaf.length >= TELLING) return rest.replaceAll(leaf, MASK);
    return ['"', "'", '`'].reduce((one, q) => one.replaceAll(q + leaf + q, q + MASK + q), rest);
  }, text);
}

function leaves(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof value === 'string' || typeof value === 'number') {
    if (String(value) !== '') found.add(String(value));
  } else if (typeof value === 'object' && value !== null)
    for (const [name, own] of Object.entries(value)) {
      // Names of a client's own making, such as those in a context.
      if (!Array.isArray(value) && !OURS.has(name)) found.add(name);
      leaves(own, found);
    }
  return found;
}
