import { z } from 'zod';
import { BACKENDS } from '../compute/backend.js';
import { activeInstall, cacheFolder, listInstalls } from '../compute/native/cache.js';
import { type ProbeResult, probeBackend } from '../compute/native/check.js';
import { describeMachine, type Machine } from '../compute/native/machine.js';
import { findToolchain, obstacle, type Toolchain } from '../compute/native/tools.js';
import { RecsysError } from '../errors.js';
import { formatQuantity } from '../report/format.js';
import { defineStage, type StageResult, type StageRun } from './stage.js';
import { textTable } from './table.js';

const schema = z.strictObject({});

/** Unpacked wheel and download together, while the native backend is being built. */
const INSTALL_BYTES = 2e9;

export default defineStage({
  name: 'doctor',
  describe: 'check this machine: backends, tools, speed, and what to do',
  schema,
  flags: {},
  run: examine,
});

/** What the doctor found. */
export interface Finding {
  readonly machine: Machine;
  readonly tools: Toolchain;
  readonly cache: string;
  readonly nativeInstalled: boolean;
  /** The choice recsys makes by itself here, or why it can make none. */
  readonly chosen: ProbeResult | string;
  readonly backends: ReadonlyMap<string, ProbeResult | string>;
}

async function examine(run: StageRun<Record<string, never>>): Promise<StageResult> {
  const start = performance.now();
  const cache = cacheFolder();
  const install = activeInstall(cache);
  const total = BACKENDS.length + 1;
  const progress = (done: number, what: string) =>
    run.progress({ task: 'doctor', done, total, fields: { checking: what } });

  progress(0, 'the machine');
  const [machine, tools] = await Promise.all([describeMachine(cache), findToolchain()]);
  const chosen = await probeBackend('auto', { signal: run.signal });
  const backends = new Map<string, ProbeResult | string>();
  for (const [index, name] of BACKENDS.entries()) {
    progress(index + 1, name);
    if (name === 'tensorflow' && !install) backends.set(name, 'not installed');
    else if (typeof chosen !== 'string' && chosen.backend === name) backends.set(name, chosen);
    else backends.set(name, await probeBackend(name, { signal: run.signal }));
  }
  progress(total, 'done');

  const finding: Finding = {
    machine,
    tools,
    cache,
    nativeInstalled: install !== undefined,
    chosen,
    backends,
  };
  if ([...backends.values()].every((result) => typeof result === 'string')) {
    const reasons = [...backends].map(([name, reason]) => `${name}: ${reason}`).join('; ');
    throw new RecsysError('BACKEND_UNAVAILABLE', `no backend works: ${reasons}`, {
      remedy: 'Reinstall the packages with `npm ci`.',
    });
  }
  const steps = advice(finding);
  return {
    active: typeof chosen === 'string' ? { error: chosen } : { name: chosen.backend, reason: chosen.reason },
    backends: Object.fromEntries([...backends].map(([name, result]) => [name, asJson(result)])),
    native: {
      cache,
      active: install?.folder ?? null,
      installs: listInstalls(cache).map(({ folder }) => folder),
    },
    tools: { python: tools.python ?? null, compiler: tools.compiler ?? null },
    machine,
    advice: steps,
    text: render(finding, steps),
    seconds: (performance.now() - start) / 1000,
  };
}

function asJson(result: ProbeResult | string) {
  return typeof result === 'string' ? { available: false, reason: result } : { available: true, ...result };
}

/** What to do, most useful first; empty when nothing is. */
export function advice({ machine, tools, nativeInstalled, chosen, backends }: Finding): string[] {
  const list: string[] = [];
  const [major = 0, minor = 0] = machine.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    list.push(`Node ${machine.node} is too old: install 20.19 or newer.`);
  if (typeof chosen === 'string')
    list.push(`No backend is chosen: ${chosen}. Unset RECSYS_BACKEND, or set it to wasm.`);
  const native = backends.get('tensorflow');
  if (!nativeInstalled) {
    const hindrance = obstacle(tools);
    if (hindrance) list.push(`For the faster native backend: ${hindrance.message}. ${hindrance.remedy}`);
    else if (machine.diskFree < INSTALL_BYTES)
      list.push(`For the faster native backend: free ${gigabytes(INSTALL_BYTES)} on the cache's disk first.`);
    else
      list.push(
        `Run \`recsys backend install${machine.nvidia ? ' --gpu' : ''}\`: the native backend trains several times faster.`,
      );
  } else if (typeof native === 'string') {
    list.push(
      `The native backend does not load (${native}): remove its folder and run \`recsys backend install\`.`,
    );
  } else if (machine.nvidia && native?.device === 'cpu') {
    list.push('An NVIDIA GPU is present and not used: run `recsys backend install --gpu`.');
  }
  return list;
}

function render(
  { machine, tools, cache, nativeInstalled, chosen, backends }: Finding,
  steps: readonly string[],
): string {
  const active =
    typeof chosen === 'string'
      ? `none: ${chosen}`
      : `${chosen.backend} (${chosen.reason}), ${formatQuantity(chosen.threads, 'thread')}`;
  const facts = [
    ['Node', `${machine.node}, ${machine.platform}`],
    ['active backend', active],
    ['native cache', `${cache}${nativeInstalled ? '' : ' (nothing installed)'}`],
    [
      'python, pip',
      tools.python ? `${tools.python.command} ${tools.python.version}, pip ${tools.python.pip}` : 'not found',
    ],
    ['C++ compiler', tools.compiler?.version ?? 'not found'],
    ['CPU', `${machine.cpu}, ${formatQuantity(machine.cores, 'core')}`],
    ['instructions', machine.instructions.join(' ') || 'unknown'],
    ['NVIDIA driver', machine.nvidia ? 'loaded' : 'none'],
    ['memory', `${gigabytes(machine.memory)}, ${gigabytes(machine.memoryFree)} free`],
    ['disk (cache)', `${gigabytes(machine.diskFree)} free`],
  ];
  const speeds = [...backends].map(([name, result]) =>
    typeof result === 'string'
      ? [name, 'no', result]
      : [
          name,
          'yes',
          `${result.milliseconds.toFixed(1)} ms`,
          `${result.gflops.toFixed(1)} GFLOP/s`,
          result.device,
          result.version,
        ],
  );
  const doing =
    steps.length === 0
      ? 'Nothing needs doing.'
      : `What to do:\n${steps.map((step) => `- ${step}`).join('\n')}`;
  return [
    textTable(['what', 'found'], facts),
    textTable(['backend', 'works', 'matmul 512³', 'speed', 'device', 'version'], speeds),
    doing,
  ].join('\n\n');
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
