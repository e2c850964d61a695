import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';

/** What of this machine matters to training. Sizes in bytes. */
export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  /** Cores this process may use. */
  readonly cores: number;
  /** The vector and matrix instructions that libtensorflow and wasm profit from, as the kernel names them. */
  readonly instructions: readonly string[];
  /** Memory this process may use: a container's limit where it has one. */
  readonly memory: number;
  readonly memoryFree: number;
  readonly diskFree: number;
  /** An NVIDIA driver is loaded. */
  readonly nvidia: boolean;
}

const INSTRUCTIONS = [
  ['avx2', 'fma', 'avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl', 'avx512_vnni', 'avx512_bf16'],
  ['amx_tile', 'amx_bf16', 'amx_int8'],
  ['asimd', 'asimddp', 'bf16', 'sve', 'i8mm'],
].flat();

/** Look at the machine; `folder` (or its nearest existing parent) says which disk. */
export async function describeMachine(folder: string): Promise<Machine> {
  let existing = folder;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  const disk = await statfs(existing);
  const limit = process.constrainedMemory?.() ?? 0;
  const total = totalmem();
  const memory = limit > 0 && limit < total ? limit : total;
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    instructions: cpuInstructions(),
    memory,
    memoryFree: Math.min(freemem(), memory),
    diskFree: disk.bavail * disk.bsize,
    nvidia: existsSync('/proc/driver/nvidia/version') || existsSync('/dev/nvidiactl'),
  };
}

export function cpuInstructions(): string[] {
  try {
    const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
    const known = new Set(flags.split(' '));
    return INSTRUCTIONS.filter((name) => known.has(name));
  } catch {
    return [];
  }
}
