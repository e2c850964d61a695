import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { kernelTarget } from './target.js';

const require = createRequire(import.meta.url);

/** The libtensorflow that `backend install` takes when none is named. */
export const DEFAULT_TENSORFLOW = '2.18.1';

export type NativeDevice = 'cpu' | 'gpu';

/** How the addon is built. Another number than an install's own: it is built anew. */
export const INSTALL_FORMAT = 6;

/** What an installed native backend is made of; install.json in its folder, written last. */
const installSchema = z.object({
  formatVersion: z.literal(INSTALL_FORMAT),
  tensorflow: z.string(),
  device: z.enum(['cpu', 'gpu']),
  tfjs: z.string(),
  platform: z.string(),
  arch: z.string(),
  compiler: z.string(),
  /** Node that compiled and checked it; the addon is bound to N-API and loads in others too. */
  node: z.string(),
  wheels: z.array(z.object({ file: z.string(), sha256: z.string() })),
  files: z.record(z.string(), z.string()).describe('SHA-256 of what is loaded, by path'),
  /** Our own operations have the processor's instructions for bfloat16. */
  bfloat16: z.boolean().default(false),
  installedAt: z.string(),
});
export type InstallRecord = z.output<typeof installSchema>;

/** An installed native backend. */
export interface NativeInstall {
  readonly folder: string;
  readonly record: InstallRecord;
}

/** Where native backends are kept: outside node_modules, so that a reinstall is instant. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.RECSYS_CACHE) return env.RECSYS_CACHE;
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'recsys');
}

/** Version of tfjs, whose addon source and JavaScript belong together. */
export function tfjsVersion(): string {
  return (require('@tensorflow/tfjs-node-gpu/package.json') as { version: string }).version;
}

/** Folder name of one native backend; everything the binary depends on stands in it. */
export function installName(tensorflow: string, device: NativeDevice): string {
  return `libtensorflow-${tensorflow}-${device}-${platform()}-tfjs${tfjsVersion()}`;
}

/** System, architecture and processor: machines of different kinds may share a cache. */
function platform(): string {
  const processor = kernelTarget()?.name;
  return [process.platform, process.arch, ...(processor ? [processor] : [])].join('-');
}

/** The file that names the install in use: the last one asked for. */
export function currentFile(cache: string): string {
  return join(cache, `current-${platform()}`);
}

export const ADDON = 'tfjs_binding.node';
/** Small addon that keeps the library's chatter from standard error. */
export const QUIET = 'recsys_quiet.node';

/** Our own operations, where the processor has what they are compiled for. */
export const KERNELS = 'recsys_kernels.node';

/** The install in `folder`, or undefined when there is none, it is unfinished, or it was written by another format. */
export function readInstall(folder: string): NativeInstall | undefined {
  try {
    const record = installSchema.parse(JSON.parse(readFileSync(join(folder, 'install.json'), 'utf8')));
    return existsSync(join(folder, ADDON)) && existsSync(join(folder, QUIET))
      ? { folder, record }
      : undefined;
  } catch {
    return undefined;
  }
}

/** All installs that fit this platform and tfjs, by folder name. */
export function listInstalls(cache: string): NativeInstall[] {
  const suffix = `-${platform()}-tfjs${tfjsVersion()}`;
  let names: string[];
  try {
    names = readdirSync(cache);
  } catch {
    return [];
  }
  return names
    .filter((name) => name.startsWith('libtensorflow-') && name.endsWith(suffix))
    .sort()
    .map((name) => readInstall(join(cache, name)))
    .filter((install) => install !== undefined);
}

/** The install `tensorflow` stands for: the one last asked for, else the last by name. */
export function activeInstall(cache: string = cacheFolder()): NativeInstall | undefined {
  const installs = listInstalls(cache);
  try {
    const name = readFileSync(currentFile(cache), 'utf8').trim();
    const current = installs.find((install) => install.folder === join(cache, name));
    if (current) return current;
  } catch {
    // No choice was recorded.
  }
  return installs.at(-1);
}
