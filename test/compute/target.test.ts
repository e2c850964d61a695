import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelTarget } from '../../src/compute/native/target.js';

const AVX2 = ['avx2', 'fma'];
const AVX512 = [...AVX2, 'avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'];

test('our own operations are compiled for the best a processor has', () => {
  const target = (...instructions: string[]) => kernelTarget(instructions, 'x64');
  assert.equal(target(), undefined);
  assert.equal(target('avx2'), undefined);
  assert.equal(target(...AVX2)?.name, 'avx2');
  assert.equal(target(...AVX2, 'avx512f')?.name, 'avx2', 'half of AVX-512 is none');
  assert.equal(target(...AVX512)?.name, 'avx512');
  assert.equal(target(...AVX512, 'amx_tile', 'amx_bf16')?.name, 'avx512', 'tiles are used beside pairs');
  assert.equal(target(...AVX512, 'avx512_bf16')?.name, 'avx512-bf16');
  assert.equal(target(...AVX512, 'avx512_bf16', 'amx_tile', 'amx_bf16')?.name, 'avx512-amx');
  assert.equal(kernelTarget([], 'arm64')?.name, 'arm64');
  assert.equal(kernelTarget(AVX512, 'ppc64'), undefined);
});

test('bfloat16 is for processors with instructions for it', () => {
  const with16 = [...AVX512, 'avx512_bf16'];
  assert.deepEqual(
    [AVX2, AVX512, with16].map((known) => kernelTarget(known, 'x64')?.bfloat16),
    [false, false, true],
  );
});
