/**
 * TensorBoard event files: TFRecords (length, masked CRC of the length, payload, masked CRC of the payload; all
 * little-endian) of `tensorflow.Event` protocol buffers (tensorflow/core/util/event.proto, framework/summary.proto).
 */
import { mkdir, open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { maskedCrc32c } from './crc32c.js';

/** Field numbers and wire types of the messages written here. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 } as const;
const SUMMARY_VALUE = 1;
const VALUE = { tag: 1, simpleValue: 2 } as const;
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const key = (field: number, wire: number) => Uint8Array.of((field << 3) | wire);

function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Uint8Array.from(bytes);
}

function double(value: number): Uint8Array {
  return new Uint8Array(new Float64Array([value]).buffer);
}

function float(value: number): Uint8Array {
  return new Uint8Array(new Float32Array([value]).buffer);
}

function delimited(field: number, payload: Uint8Array): Uint8Array {
  return Buffer.concat([key(field, WIRE.bytes), varint(payload.byteLength), payload]);
}

const utf8 = (text: string) => new TextEncoder().encode(text);

/** One `Event` message with scalar values. */
export function encodeEvent(
  wallTime: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array {
  const values = Object.entries(scalars).map(([tag, value]) =>
    delimited(
      SUMMARY_VALUE,
      Buffer.concat([delimited(VALUE.tag, utf8(tag)), key(VALUE.simpleValue, WIRE.fixed32), float(value)]),
    ),
  );
  return Buffer.concat([
    key(EVENT.wallTime, WIRE.fixed64),
    double(wallTime),
    key(EVENT.step, WIRE.varint),
    varint(step),
    delimited(EVENT.summary, Buffer.concat(values)),
  ]);
}

/** The message every event file begins with. */
export function encodeFileVersion(wallTime: number): Uint8Array {
  return Buffer.concat([
    key(EVENT.wallTime, WIRE.fixed64),
    double(wallTime),
    delimited(EVENT.fileVersion, utf8('brain.Event:2')),
  ]);
}

/** A payload framed as one TFRecord. */
export function frameRecord(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(12 + payload.byteLength + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(payload.byteLength), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(payload, 12);
  view.setUint32(12 + payload.byteLength, maskedCrc32c(payload), true);
  return record;
}

/** Payloads of the whole TFRecords at the start of a file, with the byte each ends at; stops where one is cut or altered. */
export function* readRecords(bytes: Uint8Array): Generator<{ payload: Uint8Array; end: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 16 <= bytes.byteLength; ) {
    const length = Number(view.getBigUint64(at, true));
    const end = at + 16 + length;
    if (end > bytes.byteLength || view.getUint32(at + 8, true) !== maskedCrc32c(bytes.subarray(at, at + 8)))
      return;
    const payload = bytes.subarray(at + 12, at + 12 + length);
    if (view.getUint32(end - 4, true) !== maskedCrc32c(payload)) return;
    yield { payload, end };
    at = end;
  }
}

/** The step of an event written here: wall time (9 bytes) first, then the step where there is one. */
function stepOf(payload: Uint8Array): number {
  if (payload[9] !== ((EVENT.step << 3) | WIRE.varint)) return 0;
  let step = 0n;
  for (let at = 10, shift = 0n; ; at++, shift += 7n) {
    step |= BigInt(payload[at]! & 0x7f) << shift;
    if ((payload[at]! & 0x80) === 0) return Number(step);
  }
}

export interface EventFile {
  /** Appends scalars at a step; values that are not finite are left out. `wallTime` in seconds. */
  scalars(step: number, values: Readonly<Record<string, number>>, wallTime?: number): Promise<void>;
  close(): Promise<void>;
}

const NAME = /^events\.out\.tfevents\.\d+\.recsys$/;
const now = () => Date.now() / 1000;

async function existing(dir: string): Promise<string[]> {
  const names = await readdir(dir);
  return names
    .filter((name) => NAME.test(name))
    .sort()
    .map((name) => join(dir, name));
}

/**
 * Opens the event file of a directory (created if need be), `events.out.tfevents.<seconds>.recsys`.
 * @param resumeFrom continue the directory's file after this step: later events (of a run that was killed) are cut off.
 *   Without it, or where there is no file yet, a new file begins; one that was there belonged to a run given up.
 */
export async function openEventFile(
  dir: string,
  options: { resumeFrom?: number; wallTime?: number } = {},
): Promise<EventFile> {
  await mkdir(dir, { recursive: true });
  const { resumeFrom, wallTime = now() } = options;
  const earlier = await existing(dir);
  const previous = resumeFrom === undefined ? undefined : earlier.at(-1);
  for (const path of earlier) if (path !== previous) await rm(path);
  if (previous !== undefined && resumeFrom !== undefined) {
    let keep = 0;
    for (const { payload, end } of readRecords(await readFile(previous))) {
      if (stepOf(payload) > resumeFrom) break;
      keep = end;
    }
    await truncate(previous, keep);
  }
  const path =
    previous ?? join(dir, `events.out.tfevents.${String(Math.floor(wallTime)).padStart(10, '0')}.recsys`);
  const handle = await open(path, previous === undefined ? 'w' : 'a');
  if ((await handle.stat()).size === 0) await handle.appendFile(frameRecord(encodeFileVersion(wallTime)));
  return {
    async scalars(step, values, time = now()) {
      const finite = Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)));
      await handle.appendFile(frameRecord(encodeEvent(time, step, finite)));
    },
    close: () => handle.close(),
  };
}
