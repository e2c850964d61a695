import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CompiledFunction } from '../function.js';
import type { FrozenGraph } from '../graph/frozen.js';

/** What is used of onnxruntime-node, which is no dependency: whoever wants it installs it. */
interface Ort {
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(file: string): Promise<OrtSession> };
}
interface OrtTensor {
  readonly data: ArrayLike<number>;
}
interface OrtSession {
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** onnxruntime-node, where it is installed: beside recsys, or in the working directory. */
function findRuntime(): Ort | undefined {
  for (const from of [import.meta.url, pathToFileURL(join(process.cwd(), 'package.json')).href]) {
    try {
      return createRequire(from)('onnxruntime-node') as Ort;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}

/** Whether ONNX files can be run here. */
export const hasOnnxRuntime = (): boolean => findRuntime() !== undefined;

/** An ONNX file of a frozen graph, run by onnxruntime-node; undefined where that is not installed. */
export async function openOnnx(
  file: string,
  { inputs, outputs }: FrozenGraph,
): Promise<CompiledFunction | undefined> {
  const ort = findRuntime();
  if (!ort) return undefined;
  const session = await ort.InferenceSession.create(file);
  return {
    async run(batch) {
      const feeds = Object.fromEntries(
        inputs.map(({ name }) => {
          const { dtype, data, shape } = batch[name]!;
          return [name, new ort.Tensor(dtype === 'F32' ? 'float32' : 'int32', data, shape)];
        }),
      );
      const results = await session.run(feeds);
      return new Map(outputs.map(({ name }) => [name, Float32Array.from(results[name]!.data)]));
    },
    dispose: () => void session.release(),
  };
}
