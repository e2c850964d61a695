import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { RecsysError } from '../../errors.js';

export interface ChildOptions {
  /** This program, without a command: what Node is started with. */
  readonly program: readonly string[];
  /** Flags of `recsys serve-online`, without those given here. */
  readonly flags: readonly string[];
  readonly state: string;
  readonly port: number;
  /** File that says where it listens, once it answers. */
  readonly readyFile: string;
  /** File that its stderr is appended to. */
  readonly log: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const readySchema = z.object({ url: z.string(), pid: z.number() });
const resultSchema = z.object({ path: z.string(), metrics: z.object({ learned: z.number() }) });
/** What a service says when it was stopped in peace. */
export type ServedResult = z.output<typeof resultSchema>;

const POLL_MS = 5;

/**
 * A `recsys serve-online` of our own. It hangs on a channel that carries nothing: hanging up stops it, and the end of this process, however it
 * comes, hangs up too.
 */
export class ServiceChild {
  /** Resolves when the process is gone. */
  readonly gone: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  private stdout = '';
  private over = false;

  private constructor(
    private readonly child: ChildProcess,
    private readonly options: ChildOptions,
  ) {
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.gone = new Promise((resolve) => {
      child.once('error', () => resolve({ code: null, signal: null }));
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    void this.gone.then(() => {
      this.over = true;
    });
  }

  static async start(options: ChildOptions): Promise<ServiceChild> {
    const { program, flags, state, port, readyFile, log, env } = options;
    await rm(readyFile, { force: true });
    const stderr = await open(log, 'a');
    try {
      const own = ['--state', state, '--port', String(port), '--ready-file', readyFile, '--json'];
      const child = spawn(process.execPath, [...program, 'serve-online', ...flags, ...own], {
        stdio: ['ignore', 'pipe', stderr.fd, 'ipc'],
        env: { ...process.env, ...env },
      });
      return new ServiceChild(child, options);
    } finally {
      await stderr.close();
    }
  }

  get alive(): boolean {
    return !this.over;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /**
   * Waits until it answers requests; gives its address, or undefined where it is gone before.
   * @throws RecsysError SERVICE where that takes longer than `milliseconds`
   */
  async ready(milliseconds: number, signal: AbortSignal): Promise<string | undefined> {
    const began = performance.now();
    while (!this.over) {
      const text = await readFile(this.options.readyFile, 'utf8').catch(() => '');
      const address = text === '' ? undefined : readySchema.parse(JSON.parse(text));
      if (address && address.pid === this.pid) return address.url;
      if (performance.now() - began > milliseconds)
        throw new RecsysError('SERVICE', `the service was not ready after ${milliseconds / 1000} s`);
      await sleep(POLL_MS, undefined, { signal });
    }
    return undefined;
  }

  /** `kill -9`, of this process alone. */
  async kill(): Promise<void> {
    if (!this.over) this.child.kill('SIGKILL');
    await this.gone;
  }

  /** Lets it drain and write its snapshot. @throws RecsysError SERVICE where it ends in any other way */
  async stop(): Promise<ServedResult> {
    if (this.child.connected) this.child.disconnect();
    const stdout = this.child.stdout!;
    const closed = stdout.closed ? undefined : new Promise((resolve) => stdout.once('close', resolve));
    const { code, signal } = await this.gone;
    await closed;
    if (code === 0) return resultSchema.parse(JSON.parse(this.stdout));
    throw new RecsysError(
      'SERVICE',
      `the service ended ${signal === null ? `with status ${code}` : `by ${signal}`}`,
      {
        remedy: 'Run `recsys serve-online` with the same settings: it says what is wrong.',
      },
    );
  }
}
