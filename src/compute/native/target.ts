import { cpuInstructions } from './machine.js';

/** What our own operations are compiled for. */
export interface KernelTarget {
  readonly name: string;
  /** The compiler's flags. */
  readonly flags: readonly string[];
  /** Matrices of bfloat16 are multiplied by instructions made for it. */
  readonly bfloat16: boolean;
}

const AVX512 = ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'];

/** The best target of a processor, from its instructions; undefined where our own operations do not run at all. */
export function kernelTarget(
  instructions: readonly string[] = cpuInstructions(),
  arch: string = process.arch,
): KernelTarget | undefined {
  const has = (...names: string[]): boolean => names.every((name) => instructions.includes(name));
  if (arch === 'arm64') return { name: 'arm64', flags: [], bfloat16: false };
  if (arch !== 'x64' || !has('avx2', 'fma')) return undefined;
  if (!has(...AVX512)) return { name: 'avx2', flags: ['-march=x86-64-v3'], bfloat16: false };
  const flags = ['-march=x86-64-v4'];
  if (!has('avx512_bf16')) return { name: 'avx512', flags, bfloat16: false };
  flags.push('-mavx512bf16');
  if (!has('amx_tile', 'amx_bf16')) return { name: 'avx512-bf16', flags, bfloat16: true };
  return { name: 'avx512-amx', flags: [...flags, '-mamx-tile', '-mamx-bf16'], bfloat16: true };
}
