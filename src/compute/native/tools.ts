import { type ChildProcess, spawn } from 'node:child_process';
import { RecsysError } from '../../errors.js';

export interface Finished {
  /** Exit status; null when a signal ended it or it could not be started. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** Each whole line of stdout as it comes. */
  readonly onLine?: (line: string) => void;
}

/** Run a program to its end, without a shell. A program that is not there gives code null and the reason in stderr. */
export function execute(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  if (options.signal?.aborted) throw new RecsysError('INTERRUPTED', 'interrupted');
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    });
    const stop = () => child.kill('SIGTERM');
    options.signal?.addEventListener('abort', stop, { once: true });
    const stderr = collect(child, 'stderr');
    const stdout = collect(child, 'stdout', options.onLine);
    let failure = '';
    child.on('error', (error) => {
      failure = error.message;
    });
    child.on('close', (code, endedBy) => {
      options.signal?.removeEventListener('abort', stop);
      if (options.signal?.aborted) reject(new RecsysError('INTERRUPTED', `${command} was interrupted`));
      else {
        const note = failure || (endedBy ? `${command} was ended by ${endedBy}` : '');
        resolve({
          code: failure ? null : code,
          stdout: stdout(),
          stderr: [stderr(), note].filter(Boolean).join('\n'),
        });
      }
    });
  });
}

function collect(
  child: ChildProcess,
  name: 'stdout' | 'stderr',
  onLine?: (line: string) => void,
): () => string {
  let text = '';
  let rest = '';
  const stream = child[name];
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    text += chunk;
    if (!onLine) return;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  return () => text;
}

export interface Toolchain {
  /** A Python 3 whose pip works. */
  readonly python: { readonly command: string; readonly version: string; readonly pip: string } | undefined;
  /** A C++17 compiler. */
  readonly compiler: { readonly command: string; readonly version: string } | undefined;
}

/** What of Python 3 with pip and a C++ compiler is on the PATH (PYTHON and CXX name others). */
export async function findToolchain(env: NodeJS.ProcessEnv = process.env): Promise<Toolchain> {
  const options = { env, timeoutMs: 20_000 };
  let python: Toolchain['python'];
  for (const command of [env.PYTHON, 'python3', 'python']) {
    if (!command || python) continue;
    const { code, stdout } = await execute(command, ['-m', 'pip', '--version'], options);
    // pip 23.2.1 from /usr/lib/python3/dist-packages/pip (python 3.11)
    const found = /^pip (\S+) .*\(python (3\.\d+)\)/m.exec(stdout);
    if (code === 0 && found) python = { command, version: found[2] ?? '', pip: found[1] ?? '' };
  }
  let compiler: Toolchain['compiler'];
  for (const command of [env.CXX, 'g++', 'c++', 'clang++']) {
    if (!command || compiler) continue;
    const { code, stdout } = await execute(command, ['--version'], options);
    if (code === 0) compiler = { command, version: stdout.split('\n', 1)[0] ?? '' };
  }
  return { python, compiler };
}

/** Why the native backend cannot be installed here and what to do, or undefined when it can be tried. */
export function obstacle(tools: Toolchain, platform: string = process.platform, arch: string = process.arch) {
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    return {
      message: `the native backend is built on Linux (x64, arm64) only, not on ${platform} ${arch}`,
      remedy: 'The wasm backend works here.',
    };
  }
  const missing = [
    ...(tools.python ? [] : ['Python 3 with pip']),
    ...(tools.compiler ? [] : ['a C++ compiler (g++)']),
  ];
  if (missing.length === 0) return undefined;
  const packages = [...(tools.python ? [] : ['python3-pip']), ...(tools.compiler ? [] : ['g++'])].join(' ');
  return {
    message: `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} needed and not found on the PATH`,
    remedy: `Install ${missing.length > 1 ? 'them' : 'it'} (Debian, Ubuntu: \`apt-get install ${packages}\`), then run \`recsys backend install\`.`,
  };
}
