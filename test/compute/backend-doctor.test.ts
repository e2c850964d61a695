import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { advice, type Finding } from '../../src/commands/doctor.js';
import type { ProbeResult } from '../../src/compute/native/check.js';

const works = (backend: string, device: 'cpu' | 'gpu' = 'cpu'): ProbeResult => ({
  backend,
  version: 'tfjs 4.22.0',
  device,
  threads: 2,
  milliseconds: 5,
  gflops: 50,
  reason: 'installed natively',
});

function finding(changes: Partial<Finding> = {}): Finding {
  return {
    machine: {
      node: '20.19.0',
      platform: 'linux x64',
      cpu: 'a CPU',
      cores: 2,
      instructions: ['avx2'],
      memory: 8e9,
      memoryFree: 4e9,
      diskFree: 50e9,
      nvidia: false,
    },
    tools: {
      python: { command: 'python3', version: '3.11', pip: '23.2.1' },
      compiler: { command: 'g++', version: 'g++ 12' },
    },
    cache: '/cache',
    nativeInstalled: true,
    chosen: works('tensorflow'),
    backends: new Map([['tensorflow', works('tensorflow')]]),
    ...changes,
  };
}
const absent = {
  nativeInstalled: false,
  chosen: works('wasm'),
  backends: new Map([['tensorflow', 'not installed']]),
};

describe("the doctor's advice", { skip: process.platform === 'linux' ? false : 'is about Linux' }, () => {
  test('is none where the native backend works', () => {
    assert.deepEqual(advice(finding()), []);
  });

  test('is to install the native backend where that is possible', () => {
    assert.match(advice(finding(absent)).join(), /^Run `recsys backend install`:/);
  });

  test('names missing tools and a full disk first', () => {
    const tools = { python: undefined, compiler: undefined };
    assert.match(
      advice(finding({ ...absent, tools })).join(),
      /Python 3 with pip and a C\+\+ compiler.*apt-get/,
    );
    const machine = { ...finding().machine, diskFree: 1e9 };
    assert.match(advice(finding({ ...absent, machine })).join(), /free 2\.0 GB/);
  });

  test('is the CUDA build where a GPU lies idle, and only there', () => {
    const machine = { ...finding().machine, nvidia: true };
    assert.match(advice(finding({ machine })).join(), /install --gpu/);
    assert.match(advice(finding({ ...absent, machine })).join(), /install --gpu/);
    const backends = new Map([['tensorflow', works('tensorflow', 'gpu')]]);
    assert.deepEqual(advice(finding({ machine, backends })), []);
  });

  test('says when Node is too old, a forced backend is not there, or the install does not load', () => {
    const machine = { ...finding().machine, node: '20.18.9' };
    assert.match(advice(finding({ machine })).join(), /Node 20\.18\.9 is too old/);
    assert.match(advice(finding({ chosen: 'not installed' })).join(), /Unset RECSYS_BACKEND/);
    const backends = new Map([['tensorflow', 'wrong ELF class']]);
    assert.match(advice(finding({ backends })).join(), /does not load \(wrong ELF class\)/);
  });
});
