import type { ProgressEvent } from '../../types.js';
import type { LineSink } from './logger.js';

/** Seconds between progress lines where there is no terminal. */
const LINE_EVERY = 5;

/** Shows progress on stderr and shares the terminal with the log. */
export interface ProgressView extends LineSink {
  show(event: ProgressEvent): void;
  /** Clears what is on the terminal. */
  close(): void;
}

export const silentProgress = (out: LineSink): ProgressView => ({
  show: () => {},
  close: () => {},
  write: (text) => out.write(text),
});

/** Time left of a task, from the pace since the task (or a resumed part of it) began. */
export class Pace {
  private task = '';
  private began = 0;
  private first = 0;

  /** Seconds left, or undefined while there is nothing to judge by. */
  left(event: ProgressEvent, now: number): number | undefined {
    if (event.task !== this.task || event.done < this.first) {
      this.task = event.task;
      this.began = now;
      this.first = event.done;
    }
    const done = event.done - this.first;
    if (done <= 0 || event.total <= 0 || event.done > event.total) return undefined;
    return ((now - this.began) / 1000 / done) * (event.total - event.done);
  }
}

/** `pretrain epoch 3/10 · 30 % · loss 2.31 · 1:12 left` */
export function progressText(event: ProgressEvent, left: number | undefined): string {
  const parts = [event.task];
  if (event.total > 0)
    parts.push(
      `${count(event.done)}/${count(event.total)}`,
      `${Math.floor((100 * event.done) / event.total)} %`,
    );
  else if (event.done > 0) parts.push(count(event.done));
  for (const [name, value] of Object.entries(event.fields ?? {}))
    parts.push(`${name} ${typeof value === 'number' ? short(value) : value}`);
  if (left !== undefined && left >= 1) parts.push(`${clock(left)} left`);
  return parts.join(' · ');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function short(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** `1:02:03`, `4:05` or `0:09`. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const pad = (n: number): string => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** Plain lines every few seconds; each new task is named at once, and its end is shown. */
export function lineProgress(out: LineSink, now: () => number, every = LINE_EVERY): ProgressView {
  const pace = new Pace();
  let last = Number.NEGATIVE_INFINITY;
  let task = '';
  return {
    show(event) {
      const time = now();
      const left = pace.left(event, time);
      const complete = event.total > 0 && event.done >= event.total;
      if (event.task === task && !complete && time - last < every * 1000) return;
      if (complete && event.task === task && time - last < 1000) return;
      task = event.task;
      last = time;
      out.write(`${progressText(event, left)}\n`);
    },
    close() {},
    write: (text) => out.write(text),
  };
}

/** A spinner on a terminal. */
export async function spinnerProgress(stream: NodeJS.WriteStream, now: () => number): Promise<ProgressView> {
  const { default: ora } = await import('ora');
  const pace = new Pace();
  const spinner = ora({ stream, discardStdin: false });
  return {
    show(event) {
      spinner.text = progressText(event, pace.left(event, now()));
      if (!spinner.isSpinning) spinner.start();
    },
    close() {
      spinner.stop();
    },
    write(text) {
      const spinning = spinner.isSpinning;
      if (spinning) spinner.clear();
      stream.write(text);
      if (spinning) spinner.render();
    },
  };
}
