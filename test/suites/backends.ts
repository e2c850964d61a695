import { before, describe } from 'node:test';
import { BACKENDS, type BackendName } from '../../src/compute/backend.js';
import { activeInstall } from '../../src/compute/native/cache.js';
import { selectBackend } from '../../src/compute/select.js';

/** Why `tensorflow` cannot be tested on this machine, or undefined. */
async function whyNoTensorflow(): Promise<string | undefined> {
  if (!activeInstall()) return 'the native backend is not installed';
  try {
    await selectBackend('tensorflow');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const missing = await whyNoTensorflow();

/** Runs `body`'s tests on every backend this machine has; the others are skipped by name. */
export function onEachBackend(name: string, body: (backend: BackendName) => void): void {
  for (const backend of BACKENDS) {
    const skip = backend === 'tensorflow' && missing !== undefined ? missing : false;
    describe(`${name} on ${backend}`, { skip }, () => {
      before(() => selectBackend(backend));
      body(backend);
    });
  }
}

/** Runs `body`'s tests on one embedded backend: for what no backend can change. */
export function onBackend(backend: 'wasm' | 'cpu', name: string, body: () => void): void {
  describe(name, () => {
    before(() => selectBackend(backend));
    body();
  });
}
