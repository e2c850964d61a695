import type { LearnExample } from '../learner.js';

/** An event, and the rank (from 1) that what was served gave its item before it was learned. */
export interface RankedEvent {
  readonly example: LearnExample;
  readonly rank: number;
}

/** The newest events that were ranked before they were learned, oldest first, at most `limit`. */
export class RankedEvents {
  private events: RankedEvent[] = [];

  constructor(private readonly limit: number) {}

  add(example: LearnExample, rank: number): void {
    this.events.push({ example, rank });
    if (this.events.length > this.limit) this.events.shift();
  }

  forget(user: string): void {
    this.events = this.events.filter(({ example }) => example.event.user !== user);
  }

  get newest(): readonly RankedEvent[] {
    return [...this.events];
  }
}
