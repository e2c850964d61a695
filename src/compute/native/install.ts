import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import {
  ADDON,
  cacheFolder,
  currentFile,
  DEFAULT_TENSORFLOW,
  INSTALL_FORMAT,
  type InstallRecord,
  installName,
  KERNELS,
  type NativeInstall,
  QUIET,
  readInstall,
  tfjsVersion,
} from './cache.js';
import { probeBackend } from './check.js';
import { compileAddon, LIBRARIES, WHEEL_MEMBERS } from './compile.js';
import { withLock } from './lock.js';
import { findToolchain, obstacle } from './tools.js';
import { cudaRequirements, downloadWheel, unpackWheel } from './wheel.js';

export interface InstallOptions {
  readonly gpu?: boolean;
  /** libtensorflow version, such as 2.18.1. */
  readonly tensorflow?: string;
  readonly cache?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Installed extends NativeInstall {
  /** It was there already; nothing was downloaded. */
  readonly present: boolean;
}

const TASK = 'native backend';

/**
 * Build the native backend into the cache: download the TensorFlow wheel with pip, unpack its libraries and C headers, compile the
 * addon of `@tensorflow/tfjs-node-gpu`, check it by a computation in a child process, and only then rename it to its place.
 * It becomes the active one. Instant when it is there already.
 * Errors: ENVIRONMENT (no Python, pip or compiler; pip, compiler or check failed), DISK, INTERRUPTED.
 */
export async function installNative(options: InstallOptions, context: StageContext): Promise<Installed> {
  const version = options.tensorflow ?? DEFAULT_TENSORFLOW;
  const device = options.gpu ? 'gpu' : 'cpu';
  const cache = options.cache ?? cacheFolder();
  const folder = join(cache, installName(version, device));
  return await diskErrors(cache, async () => {
    const before = readInstall(folder);
    if (before) {
      await use(cache, folder);
      return { ...before, present: true };
    }
    await mkdir(cache, { recursive: true });
    const wait = (pid: number) => context.log('info', `another process (${pid}) is installing it; waiting`);
    return await withLock(`${folder}.lock`, context.signal, wait, async () => {
      const meanwhile = readInstall(folder);
      if (meanwhile) return { ...meanwhile, present: true };
      const partial = `${folder}.partial`;
      await rm(partial, { recursive: true, force: true });
      try {
        await build(partial, version, device, options.env ?? process.env, context);
        await rm(folder, { recursive: true, force: true });
        await rename(partial, folder);
      } finally {
        await rm(partial, { recursive: true, force: true });
      }
      await use(cache, folder);
      const install = readInstall(folder);
      if (!install) throw new Error(`the install in ${folder} cannot be read back`);
      return { ...install, present: false };
    });
  });
}

async function build(
  partial: string,
  version: string,
  device: 'cpu' | 'gpu',
  env: NodeJS.ProcessEnv,
  context: StageContext,
): Promise<void> {
  const tools = await findToolchain(env);
  const hindrance = obstacle(tools);
  if (hindrance) throw new RecsysError('ENVIRONMENT', hindrance.message, { remedy: hindrance.remedy });
  const python = tools.python?.command ?? '';
  const compiler = tools.compiler ?? { command: '', version: '' };
  const { signal } = context;
  const steps = device === 'gpu' ? 5 : 4;
  let step = 0;
  const next = (doing: string) =>
    context.progress({ task: TASK, done: step++, total: steps, fields: { step: doing } });

  const downloads = join(partial, 'downloads');
  const requirement = `${device === 'gpu' ? 'tensorflow' : 'tensorflow-cpu'}==${version}`;
  next(`downloading ${requirement}`);
  const wheel = await downloadWheel(python, requirement, join(downloads, 'tensorflow'), context);
  next('unpacking');
  await unpackWheel(python, wheel, partial, WHEEL_MEMBERS, signal);
  const wheels = [{ file: basename(wheel), sha256: await sha256(wheel) }];
  if (device === 'gpu') {
    next('downloading CUDA');
    wheels.push(...(await unpackCuda(python, wheel, downloads, partial, context)));
  }
  next('compiling');
  const { bfloat16 } = await compileAddon(compiler.command, partial, signal);
  await rm(join(partial, 'tensorflow', 'include'), { recursive: true });
  for (const file of await readdir(partial)) if (file.endsWith('.o')) await rm(join(partial, file));
  await rm(downloads, { recursive: true });

  next('checking');
  const files: Record<string, string> = {};
  const optional = [KERNELS].filter((name) => existsSync(join(partial, name)));
  for (const file of [ADDON, QUIET, ...optional, ...LIBRARIES.map((name) => join('tensorflow', name))]) {
    files[file] = await sha256(join(partial, file));
  }
  const record: InstallRecord = {
    formatVersion: INSTALL_FORMAT,
    tensorflow: version,
    device,
    tfjs: tfjsVersion(),
    platform: process.platform,
    arch: process.arch,
    compiler: compiler.version,
    node: process.versions.node,
    wheels,
    files,
    bfloat16,
    installedAt: new Date().toISOString(),
  };
  await writeFile(join(partial, 'install.json'), `${JSON.stringify(record, null, 2)}\n`);
  const check = await probeBackend('tensorflow', { folder: partial, signal });
  if (typeof check === 'string') {
    throw new RecsysError('ENVIRONMENT', `the native backend was built and does not work: ${check}`, {
      remedy: 'Try another version with --tensorflow.',
    });
  }
  context.progress({ task: TASK, done: steps, total: steps, fields: { step: 'done' } });
}

/** libtensorflow looks for CUDA under $ORIGIN/../nvidia/<part>/lib: its wheels are unpacked beside it. */
async function unpackCuda(
  python: string,
  wheel: string,
  downloads: string,
  partial: string,
  context: StageContext,
): Promise<InstallRecord['wheels']> {
  const wheels: InstallRecord['wheels'] = [];
  for (const requirement of await cudaRequirements(python, wheel, context.signal)) {
    context.log('info', `downloading ${requirement}`);
    const part = await downloadWheel(python, requirement, join(downloads, requirement), context);
    await unpackWheel(python, part, partial, ['nvidia/'], context.signal);
    wheels.push({ file: basename(part), sha256: await sha256(part) });
    await rm(part);
  }
  return wheels;
}

/** Make `folder` the install that `tensorflow` stands for. */
async function use(cache: string, folder: string): Promise<void> {
  const file = currentFile(cache);
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${basename(folder)}\n`);
  await rename(draft, file);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A full or unwritable cache folder is the user's to mend. */
async function diskErrors<T>(cache: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!['ENOSPC', 'EACCES', 'EROFS', 'EPERM', 'EDQUOT', 'ENOTDIR'].includes(code)) throw error;
    throw new RecsysError(
      'DISK',
      `the cache folder ${cache} cannot be written: ${(error as Error).message}`,
      {
        remedy: 'Free space, or name another folder with RECSYS_CACHE.',
        cause: error,
      },
    );
  }
}
