import { turn } from './turn.js';

/** Questions answered at once: a model by tensors takes little longer for them than for one, and none of them holds the thread for long. */
export const MOST_TOGETHER = 16;

interface Waiting<T> {
  readonly question: T;
  readonly resolve: (row: Float32Array) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Answers questions together that come while others are answered, at most `MOST_TOGETHER` at a time, with a turn of the event loop between: acknowledgements
 * and short requests get their turns however many lists are asked for.
 */
export class MicroBatch<T> {
  private waiting: Waiting<T>[] = [];
  private running = false;

  /** @param answer rows [questions × width] */
  constructor(private readonly answer: (questions: readonly T[]) => Promise<Float32Array>) {}

  /** The row that answers a question. */
  ask(question: T): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ question, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      await turn();
      await this.together(this.waiting.splice(0, MOST_TOGETHER));
    }
    this.running = false;
  }

  private async together(asked: readonly Waiting<T>[]): Promise<void> {
    try {
      const rows = await this.answer(asked.map(({ question }) => question));
      const width = rows.length / asked.length;
      for (const [row, { resolve }] of asked.entries())
        resolve(rows.subarray(row * width, (row + 1) * width));
    } catch (error) {
      // One question must not spoil the answers to others.
      if (asked.length > 1) for (const one of asked) await this.together([one]);
      else asked[0]!.reject(error);
    }
  }
}
