import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import util from 'node:util';
import { ADDON, KERNELS, type NativeInstall } from './cache.js';
import { loadQuiet, quietly } from './quiet.js';

const require = createRequire(import.meta.url);

/** The addon of `@tensorflow/tfjs-node-gpu`, as its JavaScript uses it. */
export interface TensorFlowBinding {
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
  readonly [member: string]: unknown;
}

export interface LoadedNative {
  readonly install: NativeInstall;
  readonly binding: TensorFlowBinding;
  readonly threads: number;
  readonly device: 'cpu' | 'gpu';
  /** Our own fused operations are there (src/compute/native/kernels). */
  readonly kernels: boolean;
  /** They multiply matrices of bfloat16 faster than others. */
  readonly bfloat16: boolean;
}

let loaded: LoadedNative | undefined;

/** The native backend of this process, once `selectBackend` has loaded it. */
export function loadedNative(): LoadedNative | undefined {
  return loaded;
}

/** The addon itself, for work below tfjs's API (saved models); undefined unless the native backend is loaded. */
export function loadedBinding(): TensorFlowBinding | undefined {
  return loaded?.binding;
}

/** Threads one operation may use: TF_NUM_INTRAOP_THREADS, else `otherwise`, else one for each core this process may use. */
export function intraOpThreads(env: NodeJS.ProcessEnv = process.env, otherwise?: number): number {
  const asked = Number(env.TF_NUM_INTRAOP_THREADS);
  return Number.isInteger(asked) && asked > 0 ? asked : (otherwise ?? availableParallelism());
}

/**
 * Load the addon of `install` and register it with tfjs as backend `tensorflow`. Once a process: a second call gives the first
 * one's result. The environment must be set before the library is loaded: it reads it in its static initialisers.
 * Throws what the loader throws (a missing library, a wrong architecture).
 */
export function loadNative(install: NativeInstall, threadsOtherwise?: number): LoadedNative {
  if (loaded) return loaded;
  const threads = intraOpThreads(process.env, threadsOtherwise);
  process.env.TF_NUM_INTRAOP_THREADS = String(threads);
  // Below 0: operations begin in the thread that asks for them. Waking another for each costs more than it saves where one computes.
  if (threads === 1) process.env.TF_NUM_INTEROP_THREADS ??= '-1';
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  // A GPU adds up in an order of its own, unless it is told to repeat itself.
  if (install.record.device === 'gpu') process.env.TF_DETERMINISTIC_OPS ??= '1';
  replaceRemovedUtilities();

  const tf = require('@tensorflow/tfjs') as typeof import('@tensorflow/tfjs-core');
  loadQuiet(install.folder);
  const binding = quietly(() => require(join(install.folder, ADDON)) as TensorFlowBinding);
  require('@tensorflow/tfjs-node-gpu/dist/register_all_kernels');
  const { NodeJSKernelBackend } = require('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend') as {
    NodeJSKernelBackend: new (
      binding: TensorFlowBinding,
      packageName: string,
    ) => import('@tensorflow/tfjs-core').KernelBackend;
  };
  const backend = new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node-gpu');
  if (!tf.findBackendFactory('tensorflow')) tf.registerBackend('tensorflow', () => backend, 3);
  const device = binding.isUsingGpuDevice() ? 'gpu' : 'cpu';
  const kernels = device === 'cpu' && loadKernels(install);
  const bfloat16 = kernels && install.record.bfloat16;
  loaded = { install, binding, threads, device, kernels, bfloat16 };
  return loaded;
}

/** Registers our own operations with TensorFlow; false where this install has none. */
function loadKernels(install: NativeInstall): boolean {
  if (!(KERNELS in install.record.files)) return false;
  require(join(install.folder, KERNELS));
  return true;
}

/** tfjs-node calls two functions of node:util that newer Nodes warn of (22) or have removed (23). */
function replaceRemovedUtilities(): void {
  const legacy = util as unknown as Record<string, (value: unknown) => boolean>;
  legacy.isNullOrUndefined = (value) => value === null || value === undefined;
  legacy.isArray = Array.isArray;
}
