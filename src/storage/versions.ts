import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { z } from 'zod';

const packageSchema = z.object({ version: z.string(), dependencies: z.record(z.string(), z.string()) });

/** Versions of recsys, Node and tfjs, as manifests record them. */
export function versions(): { recsys: string; node: string; tfjs: string } {
  const own = packageSchema.parse(createRequire(import.meta.url)('../../package.json'));
  return {
    recsys: own.version,
    node: process.versions.node,
    tfjs: own.dependencies['@tensorflow/tfjs-core'] ?? 'unknown',
  };
}

/** The machine in one line: operating system, architecture, processor, number of cores. */
export function machine(): string {
  const cores = cpus();
  return `${process.platform} ${process.arch}, ${cores[0]?.model.trim() ?? 'unknown processor'}, ${cores.length} cores`;
}
