import type { Clock } from '../../../src/online/deadline/clock.js';

/** Time that passes when a test says so. */
export class HandClock implements Clock {
  private time = 0;
  private readonly alarms: { readonly at: number; readonly ring: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(milliseconds: number): Promise<void> {
    return new Promise((ring) => this.alarms.push({ at: this.time + milliseconds, ring }));
  }

  pass(milliseconds: number): void {
    this.time += milliseconds;
    for (const { at, ring } of this.alarms) if (at <= this.time) ring();
  }
}

/** A promise with what settles it. */
export function opened<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
