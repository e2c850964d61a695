import type { Clock } from './deadline/clock.js';
import type { Experiment } from './experiment/experiment.js';
import type { Exploration } from './exploration/exploration.js';
import type { ImpressionLog } from './impressions/log.js';

/** What goes with the serving of lists and is no part of the state. */
export interface Serving {
  readonly exploration?: Exploration;
  /** Which users' lists are made how. */
  readonly experiment?: Experiment | undefined;
  /** Where lists are written that were served. */
  readonly impressions?: ImpressionLog;
  /** Default: that of the machine. */
  readonly clock?: Clock;
}

/** How a list is asked for, besides what the request says. */
export interface Asked {
  /** Names the request: what is drawn for it is drawn by its name. Absent: nothing is drawn, and nothing written. */
  readonly requestId?: string;
  /** Milliseconds that the request has waited before. */
  readonly waited?: number;
}
