import type { RawValue } from './readers/reader.js';

/** Why a field was refused; the text that goes to rejected.csv. */
export class Refusal {
  constructor(readonly reason: string) {}
}

/** A field as text without surrounding blanks; '' where it is empty. */
export function text(value: RawValue): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value.trim();
  if (value instanceof Date) return value.toISOString();
  return String(value);
}

/** An id. Throws a Refusal where it is absent, empty or not valid in the declared encoding. */
export function id(value: RawValue, what: string): string {
  if (value === undefined) throw new Refusal('missing columns');
  const found = text(value);
  if (found === '') throw new Refusal(`${what} id is empty`);
  if (found.includes('\uFFFD')) throw new Refusal(NOT_UTF8);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Refusal(`${what} id is not a number`);
  return found;
}

export const NOT_UTF8 = 'not valid UTF-8 (is it `encoding: latin-1`?)';

/** A finite number, or null where the field is empty. */
export function optionalNumber(value: RawValue, what: string): number | null {
  if (value === undefined) throw new Refusal('missing columns');
  if (typeof value === 'boolean') return value ? 1 : 0;
  const found = typeof value === 'number' ? value : text(value);
  if (found === '') return null;
  const number = Number(found);
  if (!Number.isFinite(number)) throw new Refusal(`${what} is not a number`);
  return number;
}
