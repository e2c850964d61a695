import { z } from 'zod';
import { BY_OPERATOR, type ControlRecord } from './controls.js';
import type { GuardConfig } from './schema.js';
import { UpdateCheck } from './update-check.js';
import { UserBudget, userBudgetSchema } from './user-budget.js';

const pauseSchema = z.object({ reason: z.string(), since: z.number().int() });
/** Why learning pauses, and since which journal record. */
export type Pause = Readonly<z.output<typeof pauseSchema>>;

/** What the journal has said of learning itself, as a snapshot holds it. */
export const learningStateSchema = z.object({
  paused: pauseSchema.exactOptional(),
  rollbacks: z.number().int().default(0),
  norms: z.array(z.number()).default([]),
  refused: z.number().int().default(0),
  budget: userBudgetSchema.default({ users: [], order: [] }),
});
export type LearningStateSnapshot = Readonly<z.output<typeof learningStateSchema>>;

/** The part of the guard that decides what is learned: a function of the journal, like the parameters. */
export class LearningState {
  paused: Pause | undefined;
  /** How often what was learned has been taken back. */
  rollbacks = 0;
  readonly check: UpdateCheck;
  /** Not taken back by a rollback: who has taught what is a fact. */
  readonly budget: UserBudget;

  constructor({ updates, userBudget }: GuardConfig) {
    this.check = new UpdateCheck(updates.maxGradient);
    this.budget = new UserBudget(userBudget);
  }

  /** Names what is served: after a rollback the same number of events stands for another model. */
  version(base: string, learned: number): string {
    return `${base}+${learned}${this.rollbacks > 0 ? `.${this.rollbacks}` : ''}`;
  }

  /** A control record's effect on this. What a rollback does to the parameters is the service's to do. */
  apply(seq: number, record: ControlRecord): void {
    if (record.type === 'pause') this.paused = { reason: record.reason, since: seq };
    else if (record.type === 'resume') this.paused = undefined;
    else if (record.type === 'rollback') this.rollbacks++;
    // What the guard held against another model is nothing against this one.
    else if (this.paused?.reason !== BY_OPERATOR) this.paused = undefined;
  }

  snapshot(): LearningStateSnapshot {
    const { paused, rollbacks, check, budget } = this;
    return {
      rollbacks,
      norms: [...check.snapshot()],
      refused: check.refused,
      budget: budget.snapshot(),
      ...(paused ? { paused } : {}),
    };
  }

  /** Takes up what `snapshot` gave. */
  load({ paused, rollbacks, norms, refused, budget }: LearningStateSnapshot): void {
    this.paused = paused;
    this.rollbacks = rollbacks;
    this.check.load(norms);
    this.check.refused = refused;
    this.budget.load(budget);
  }
}
