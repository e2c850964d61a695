import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Time of one node of a graph in one run. */
export interface NodeTime {
  readonly node: string;
  readonly op: string;
  readonly microseconds: number;
}

/** Runs `work`, tracing; gives the nodes' times of the last session run in it. */
export async function traced(work: () => Promise<unknown>): Promise<NodeTime[]> {
  const folder = mkdtempSync(join(tmpdir(), 'recsys-trace-'));
  const file = join(folder, 'run');
  try {
    process.env.RECSYS_TRACE_FILE = file;
    await work();
    return parseRunMetadata(readFileSync(file));
  } finally {
    delete process.env.RECSYS_TRACE_FILE;
    rmSync(folder, { recursive: true, force: true });
  }
}

type Field = readonly [number: number, value: number | Uint8Array];

/** Every node's time in a RunMetadata message (tensorflow/core/protobuf/config.proto: step_stats → dev_stats → node_stats). */
export function parseRunMetadata(bytes: Uint8Array): NodeTime[] {
  const nodes = messages(bytes, 1)
    .flatMap((stepStats) => messages(stepStats, 1))
    .flatMap((device) => messages(device, 2));
  return nodes.map((node) => {
    const values = new Map(fields(node));
    const text = (field: number): string => Buffer.from((values.get(field) as Uint8Array) ?? []).toString();
    const time = (field: number): number => (values.get(field) as number | undefined) ?? 0;
    // The label reads "name = Op(inputs)".
    const op = /= ([A-Za-z0-9_]+)/.exec(text(8))?.[1] ?? '';
    return { node: text(1), op, microseconds: time(4) - time(3) };
  });
}

function messages(bytes: Uint8Array, field: number): Uint8Array[] {
  return fields(bytes)
    .filter(([n, value]) => n === field && value instanceof Uint8Array)
    .map(([, value]) => value as Uint8Array);
}

function fields(bytes: Uint8Array): Field[] {
  const out: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const wire = key & 7;
    if (wire === 0) out.push([key >>> 3, varint()]);
    else {
      const length = wire === 2 ? varint() : wire === 1 ? 8 : 4;
      out.push([key >>> 3, bytes.subarray(at, at + length)]);
      at += length;
    }
  }
  return out;
}

/** What all nodes of one operation took together. */
export interface OperationTime {
  readonly op: string;
  readonly count: number;
  readonly milliseconds: number;
  /** Of the time of all nodes; they overlap, so that is more than the run took. */
  readonly share: number;
}

/** The `count` costliest operations of a run. */
export function costliest(nodes: readonly NodeTime[], count: number): OperationTime[] {
  const sums = new Map<string, { count: number; microseconds: number }>();
  let total = 0;
  for (const { op, microseconds } of nodes) {
    const sum = sums.get(op) ?? { count: 0, microseconds: 0 };
    sums.set(op, { count: sum.count + 1, microseconds: sum.microseconds + microseconds });
    total += microseconds;
  }
  return [...sums]
    .map(([op, sum]) => ({
      op,
      count: sum.count,
      milliseconds: sum.microseconds / 1000,
      share: sum.microseconds / total,
    }))
    .sort((a, b) => b.milliseconds - a.milliseconds)
    .slice(0, count);
}
