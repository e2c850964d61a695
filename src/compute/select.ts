import { createRequire } from 'node:module';
import { RecsysError } from '../errors.js';
import { BACKENDS, type BackendInfo, type BackendName } from './backend.js';
import { activeInstall } from './native/cache.js';
import { loadedNative, loadNative } from './native/load.js';

export { loadedBinding } from './native/load.js';

const require = createRequire(import.meta.url);

type Tf = typeof import('@tensorflow/tfjs-core');

/** tfjs with all gradients registered: `@tensorflow/tfjs-core` alone has ops only. */
function loadTf(): Tf {
  const tf = require('@tensorflow/tfjs') as Tf;
  tf.enableProdMode();
  return tf;
}

let active: BackendInfo | undefined;

/** The backend in use, once one was selected. */
export function activeBackend(): BackendInfo | undefined {
  return active;
}

/**
 * Choose the tensor backend of this process; afterwards the ops of `@tensorflow/tfjs-core` work, with gradients.
 *
 * `requested` wins over the environment's RECSYS_BACKEND; with neither, the first that works of tensorflow, wasm, cpu.
 * Asking again for the one in use does nothing; asking for another switches (tensors of the old one stay valid).
 * `threads`: of one operation, where TF_NUM_INTRAOP_THREADS does not say and the native library is not loaded yet; default: all cores.
 * Errors: BACKEND_UNAVAILABLE when the one asked for cannot be used (no silent replacement), USAGE for an unknown name.
 */
export async function selectBackend(requested?: BackendName, threads?: number): Promise<BackendInfo> {
  const wanted = requested ?? fromEnvironment();
  if (active && (wanted === undefined || wanted === active.name)) return active;
  if (wanted !== undefined) {
    const how = requested === undefined ? 'RECSYS_BACKEND asks for it' : 'asked for';
    const outcome = await activate(wanted, how, threads);
    if (typeof outcome === 'string') {
      throw new RecsysError('BACKEND_UNAVAILABLE', `the ${wanted} backend cannot be used: ${outcome}`, {
        remedy:
          wanted === 'tensorflow'
            ? 'Run `recsys backend install`, or choose --backend wasm.'
            : 'Run `recsys doctor`.',
      });
    }
    active = outcome;
    return active;
  }
  const failures: string[] = [];
  for (const name of BACKENDS) {
    const reason = failures.length === 0 ? 'installed natively' : failures.join('; ');
    const outcome = await activate(name, reason, threads);
    if (typeof outcome !== 'string') {
      active = outcome;
      return active;
    }
    failures.push(`${name}: ${outcome}`);
  }
  throw new RecsysError('BACKEND_UNAVAILABLE', `no backend works: ${failures.join('; ')}`);
}

function fromEnvironment(): BackendName | undefined {
  const value = process.env.RECSYS_BACKEND;
  if (!value) return undefined;
  const known = BACKENDS.find((name) => name === value);
  if (!known) {
    throw new RecsysError('USAGE', `RECSYS_BACKEND is '${value}'; it must be one of ${BACKENDS.join(', ')}`);
  }
  return known;
}

/** Make `name` the active backend, or say in one line why that cannot be. */
async function activate(
  name: BackendName,
  reason: string,
  threads: number | undefined,
): Promise<BackendInfo | string> {
  try {
    if (name === 'tensorflow') return await activateTensorflow(reason, threads);
    const tf = loadTf();
    require(name === 'wasm' ? '@tensorflow/tfjs-backend-wasm' : '@tensorflow/tfjs-backend-cpu');
    if (!(await tf.setBackend(name))) return 'it did not start';
    await tf.ready();
    return { name, version: `tfjs ${tf.version_core}`, device: 'cpu', threads: 1, reason };
  } catch (error) {
    return firstLine(error);
  }
}

async function activateTensorflow(reason: string, asked: number | undefined): Promise<BackendInfo | string> {
  const install = loadedNative()?.install ?? activeInstall();
  if (!install) return 'not installed (`recsys backend install`)';
  const tf = loadTf();
  const { binding, device, threads, kernels } = loadNative(install, asked);
  if (!(await tf.setBackend('tensorflow'))) return 'it did not start';
  await tf.ready();
  const version = `tfjs ${tf.version_core}, libtensorflow ${binding.TF_Version}${kernels ? ', fused operations' : ''}`;
  return { name: 'tensorflow', version, device, threads, reason };
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? text;
}
