import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** One step of the PyTorch twin (bench/twin/train_step.py): the same shapes, loss, dropout and optimizer. */
export interface TwinStep {
  readonly batch: number;
  readonly length: number;
  readonly width: number;
  readonly negatives: number;
  readonly items: number;
  readonly dropout: number;
  readonly bfloat16: boolean;
}

/** The twin as a child process that takes one step when asked, so that the two can alternate. */
export class Twin {
  private readonly lines: AsyncIterator<string>;

  private constructor(
    private readonly child: ChildProcess,
    readonly version: string,
    lines: AsyncIterator<string>,
  ) {
    this.lines = lines;
  }

  /** `python` has PyTorch, for a GPU with CUDA. Throws its last words when it does not start. */
  static async start(python: string, threads: number, device: 'cpu' | 'gpu'): Promise<Twin> {
    const script = fileURLToPath(new URL('twin/train_step.py', import.meta.url));
    const child = spawn(python, [script, String(threads), device === 'gpu' ? 'cuda' : 'cpu'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let words = '';
    child.stderr.on('data', (data) => {
      words += String(data);
    });
    child.on('error', (error) => {
      words += error.message;
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done) throw new Error(`the twin did not start: ${words.trim().split('\n').at(-1)}`);
    return new Twin(child, (JSON.parse(first.value) as { torch: string }).torch, lines);
  }

  /** Milliseconds of one step. */
  async step(step: TwinStep): Promise<number> {
    this.child.stdin!.write(`${JSON.stringify(step)}\n`);
    const line = await this.lines.next();
    if (line.done) throw new Error('the twin ended');
    return (JSON.parse(line.value) as { ms: number }).ms;
  }

  /** Forgets all models. */
  forget(): void {
    this.child.stdin!.write('close\n');
  }

  stop(): void {
    this.child.stdin!.end();
  }
}
