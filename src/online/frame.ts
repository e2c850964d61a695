import { crc32 } from 'node:zlib';

/**
 * The journal's frame: the records that were written together.
 *
 * Little-endian: magic (4) · payload bytes (4) · sequence number of the first record (8) · records (4) ·
 * CRC-32 of the 20 bytes before and the payload (4) · payload: the records as JSON, one a line.
 *
 * The magic says what was known when the frame was written: "RSJ1", all before it was on the disk; "RSJ2", it may not have been. A
 * power cut can spoil what lies between the last "RSJ1" and the end of the file, and nothing before that.
 */
export const FRAME_HEADER = 24;
const FIRM = 0x314a5352;
const LOOSE = 0x324a5352;
const MAGIC_BYTES = Buffer.from('RSJ', 'latin1');
const CRC_AT = 20;

/** A whole frame found in a file: its records' numbers, and where it ends. */
export interface Frame {
  readonly firstSeq: number;
  readonly count: number;
  /** Whether all before it was on the disk when it was written. */
  readonly firm: boolean;
  readonly payload: Buffer;
  /** Offset of the byte after this frame. */
  readonly end: number;
}

/** What is wrong at an offset: bytes missing at the end of the file, or bytes that are not what was written. */
export type Defect = 'truncated' | 'damaged';

/** Encodes records numbered from `firstSeq`. At least one record. */
export function encodeFrame(firstSeq: number, records: readonly unknown[], firm = true): Buffer {
  const payload = Buffer.from(records.map((record) => JSON.stringify(record)).join('\n'), 'utf8');
  const frame = Buffer.allocUnsafe(FRAME_HEADER + payload.length);
  frame.writeUInt32LE(firm ? FIRM : LOOSE, 0);
  frame.writeUInt32LE(payload.length, 4);
  frame.writeBigUInt64LE(BigInt(firstSeq), 8);
  frame.writeUInt32LE(records.length, 16);
  payload.copy(frame, FRAME_HEADER);
  frame.writeUInt32LE(checksum(frame, 0, payload.length), CRC_AT);
  return frame;
}

/** Reads the frame at `offset`, or says what is wrong there. */
export function decodeFrame(bytes: Buffer, offset: number): Frame | Defect {
  const left = bytes.length - offset;
  if (left < FRAME_HEADER) return 'truncated';
  const magic = bytes.readUInt32LE(offset);
  if (magic !== FIRM && magic !== LOOSE) return 'damaged';
  const length = bytes.readUInt32LE(offset + 4);
  if (length > left - FRAME_HEADER) return 'truncated';
  if (checksum(bytes, offset, length) !== bytes.readUInt32LE(offset + CRC_AT)) return 'damaged';
  const start = offset + FRAME_HEADER;
  return {
    firstSeq: Number(bytes.readBigUInt64LE(offset + 8)),
    count: bytes.readUInt32LE(offset + 16),
    firm: magic === FIRM,
    payload: bytes.subarray(start, start + length),
    end: start + length,
  };
}

/** The offset of the first whole frame at or after `from`, or −1. */
export function findFrame(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(MAGIC_BYTES, from); at >= 0; at = bytes.indexOf(MAGIC_BYTES, at + 1)) {
    if (typeof decodeFrame(bytes, at) === 'object') return at;
  }
  return -1;
}

/** The records of a frame. */
export function frameRecords(frame: Frame): unknown[] {
  return frame.payload
    .toString('utf8')
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

function checksum(bytes: Buffer, offset: number, length: number): number {
  const header = crc32(bytes.subarray(offset, offset + CRC_AT));
  const start = offset + FRAME_HEADER;
  return crc32(bytes.subarray(start, start + length), header);
}
