import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import { execute } from './tools.js';

/** CPython versions whose TensorFlow wheels are tried; only the libraries inside are used, so any will do. */
const CPYTHONS = ['3.11', '3.12', '3.10', '3.13', '3.9'];

/** pip's warnings when no index answers; it ends with 'No matching distribution' then, too. */
const UNREACHABLE =
  /NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|SSLError/;

/** Wheel platform tags, newest glibc last. */
function platformTags(arch: string): string[] {
  const machine = arch === 'arm64' ? 'aarch64' : 'x86_64';
  return ['manylinux2014', 'manylinux_2_17', 'manylinux_2_24', 'manylinux_2_27', 'manylinux_2_28'].map(
    (tag) => `${tag}_${machine}`,
  );
}

/**
 * Download one wheel with pip into `folder` (created) and give its path. pip keeps its own cache and settings (mirrors, proxies);
 * its version and the Python that runs it do not matter. Errors: ENVIRONMENT with pip's reason in one line.
 */
export async function downloadWheel(
  python: string,
  requirement: string,
  folder: string,
  context: StageContext,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  let reason = '';
  for (const version of CPYTHONS) {
    const args = ['-m', 'pip', 'download', requirement, '--no-deps', '--dest', folder, '--no-input'];
    args.push('--only-binary=:all:', '--implementation', 'cp', '--python-version', version);
    args.push('--progress-bar', 'off', '--disable-pip-version-check');
    args.push('--retries', '2', '--timeout', '20');
    for (const tag of platformTags(process.arch)) args.push('--platform', tag);
    const { code, stderr } = await execute(python, args, { signal: context.signal });
    if (code === 0) {
      const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
      if (wheel) return join(folder, wheel);
      reason = 'pip downloaded no wheel';
      break;
    }
    reason ||= pipReason(stderr);
    // Another Python version helps only where the index answered and has no wheel for this one.
    if (UNREACHABLE.test(stderr) || !/No matching distribution|Could not find a version/.test(stderr)) break;
  }
  throw new RecsysError('ENVIRONMENT', `pip could not download ${requirement}: ${reason}`, {
    remedy: 'Check the version, and that pip reaches a package index.',
  });
}

/** The line of pip's output that says most: the last ERROR with the list of known versions shortened to its end. */
export function pipReason(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  const errors = lines.filter((line) => /^ERROR:|No space left|Errno/.test(line));
  const line = errors[0] ?? lines.filter(Boolean).at(-1) ?? 'no reason given';
  const versions = /\(from versions: (.*)\)/.exec(line)?.[1];
  if (UNREACHABLE.test(stderr)) return 'no package index can be reached';
  if (versions === undefined) return line.replace(/^ERROR: */, '');
  if (versions === 'none') return 'no such package or version on the package index for this platform';
  return `no such version; the newest on the package index are ${versions.split(', ').slice(-5).join(', ')}`;
}

const UNPACK = `
import sys, zipfile
wheel, out, *prefixes = sys.argv[1:]
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        if any(name.startswith(p) for p in prefixes) and not name.endswith('/'):
            z.extract(name, out)
`;

/** Unpack the members of a wheel whose names start with one of `prefixes`. Node has no unzip; Python, needed anyway, has. */
export async function unpackWheel(
  python: string,
  wheel: string,
  out: string,
  prefixes: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { code, stderr } = await execute(python, ['-c', UNPACK, wheel, out, ...prefixes], { signal });
  if (code === 0) return;
  const reason = stderr.trim().split('\n').at(-1);
  if (/No space left|Errno 28/.test(stderr))
    throw new RecsysError('DISK', `unpacking ${wheel}: no space left`);
  throw new RecsysError('ENVIRONMENT', `unpacking ${wheel} failed: ${reason}`);
}

const REQUIREMENTS = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    name = next(n for n in z.namelist() if n.endswith('.dist-info/METADATA'))
    for line in z.read(name).decode('utf-8').splitlines():
        if line.startswith('Requires-Dist:'): print(line[14:].strip())
`;

/** The CUDA wheels a `tensorflow` wheel names under its extra `and-cuda`, as pip requirements. */
export async function cudaRequirements(
  python: string,
  wheel: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { stdout } = await execute(python, ['-c', REQUIREMENTS, wheel], { signal });
  return parseCudaRequirements(stdout);
}

/** `nvidia-cudnn-cu12 ==9.3.0.75 ; extra == 'and-cuda'` → `nvidia-cudnn-cu12==9.3.0.75`. */
export function parseCudaRequirements(requiresDist: string): string[] {
  return requiresDist
    .split('\n')
    .filter((line) => /^nvidia-/.test(line) && /extra == ['"]and-cuda['"]/.test(line))
    .map((line) => (line.split(';', 1)[0] ?? '').replace(/[\s()]/g, ''));
}
