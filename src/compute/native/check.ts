import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { execute } from './tools.js';

const probeSchema = z.object({
  backend: z.string(),
  version: z.string(),
  device: z.enum(['cpu', 'gpu']),
  threads: z.number(),
  milliseconds: z.number(),
  gflops: z.number(),
  reason: z.string(),
});
export type ProbeResult = z.output<typeof probeSchema>;

/**
 * Select a backend (`auto`: the one recsys would choose) in a child process, check a matmul and its gradient there, and time a larger one: a library that crashes
 * takes only the child with it. `folder` tries that install instead of the active one. Gives the reason as a string on failure.
 */
export async function probeBackend(
  backend: string,
  options: { folder?: string; signal?: AbortSignal; env?: NodeJS.ProcessEnv } = {},
): Promise<ProbeResult | string> {
  const script = fileURLToPath(
    new URL(`./probe${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
  );
  const args = [...loaders(), script, backend, ...(options.folder === undefined ? [] : [options.folder])];
  const { code, stdout, stderr } = await execute(process.execPath, args, {
    timeoutMs: 120_000,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const parsed = code === 0 ? probeSchema.safeParse(lastJson(stdout)) : undefined;
  if (parsed?.success) return parsed.data;
  return stderr.trim().split('\n').at(-1) || `the check ended with status ${code}`;
}

function lastJson(stdout: string): unknown {
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  } catch {
    return undefined;
  }
}

/** This process's module loaders (tsx in development), which a child needs too. */
function loaders(): string[] {
  return process.execArgv.flatMap((argument, index, all) => {
    if (/^(--import|--require|--loader|-r)$/.test(argument)) return [argument, all[index + 1] ?? ''];
    return /^(--import|--require|--loader)=/.test(argument) ? [argument] : [];
  });
}
