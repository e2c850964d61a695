/** Which event is due when, where a log is sent at a multiple of the speed at which it happened. */
export class ReplayClock {
  private began: number;

  /**
   * @param first time of the first event, milliseconds
   * @param speed log milliseconds in one of the clock; Infinity: everything is due at once
   */
  constructor(
    private readonly first: number,
    private readonly speed: number,
    private readonly now: () => number,
  ) {
    this.began = now();
  }

  /** Milliseconds until an event of this time is due, at most 0 where it is. */
  until(time: number): number {
    return this.began + (time - this.first) / this.speed - this.now();
  }

  /** Goes on as if the log had come to this time: what lies before was sent by an earlier run. */
  jump(time: number): void {
    this.began = Math.min(this.began, this.now() - (time - this.first) / this.speed);
  }
}
