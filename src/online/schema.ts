import { z } from 'zod';
import { OPTIMIZER_NAMES } from '../compute/optimizers/index.js';
import { DURABILITIES } from '../protocol/events.js';

/** Weights of what comes again: added to the score of an item that the user had n events ago are recent/n + seen. */
const repeatSchema = z.strictObject({
  rate: z.number().min(0).max(100).default(0).describe('step size; 0 = everyone keeps what they begin with'),
  decay: z.number().min(0).max(1).default(0.03).describe('share that goes back to the start at each event'),
  start: z
    .strictObject({
      recent: z.number().default(0).describe('over the number of events since the user had the item'),
      seen: z.number().default(0).describe('whenever that was'),
    })
    .prefault({})
    .describe('what everyone begins with'),
});

/** Weight of what everyone turns to: added to an item's score is the weight times log(1 + its events, those of long ago less). */
const trendSchema = z.strictObject({
  rate: z.number().min(0).max(100).default(0).describe('step size; 0 = everyone keeps what they begin with'),
  decay: z.number().min(0).max(1).default(0.03).describe('share that goes back to the start at each event'),
  start: z.number().default(0).describe('what everyone begins with'),
  halfLife: z.number().positive().default(2000).describe('events, of everyone, after which one counts half'),
});

/** How the served model learns from events. */
export const learningSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe('false: events reach the histories only, parameters stay as they are'),
    optimizer: z
      .enum(OPTIMIZER_NAMES)
      .default('adagrad')
      .describe('update rule; embedding tables are updated by row'),
    learningRate: z.number().positive().max(10).default(0.005).describe('step size of every update'),
    negatives: z.number().int().min(1).max(4096).default(64).describe('items drawn against each event'),
    negativesFrom: z
      .enum(['popularity', 'shown'])
      .default('popularity')
      .describe(
        'what an event’s item is learned against: popularity, items drawn by it; shown, the other items of the list that the event names by `requestId`, and items drawn by popularity where it names none of the newest 10,000',
      ),
    loss: z
      .enum(['softmax', 'bce', 'mse'])
      .optional()
      .describe(
        'sampled softmax or binary cross-entropy over target and negatives, or the squared error of an event’s value; default: mse for a model that was trained with it, else softmax',
      ),
    maxUpdateNorm: z
      .number()
      .min(0)
      .default(1)
      .describe('largest norm of the gradient of one update; 0 = no limit'),
    batch: z.number().int().min(1).max(256).default(16).describe('most events learned in one update'),
    weights: z
      .record(z.string(), z.number().min(0))
      .default({})
      .describe('weight of each behaviour; 0 is not learned; behaviours not named weigh 1'),
    minimumValue: z
      .number()
      .optional()
      .describe('events whose value (a rating) is below are kept in the history but not learned'),
    user: z
      .strictObject({
        rate: z
          .number()
          .min(0)
          .max(100)
          .default(0)
          .describe('step size of the gradient with which each event moves its user’s own weights; 0 = none'),
        decay: z
          .number()
          .min(0)
          .max(1)
          .default(0.03)
          .describe('share of a user’s own weights that is forgotten at each of their events'),
        scale: z
          .number()
          .positive()
          .default(1)
          .describe(
            'what the scores of a model that is too sure of itself are multiplied by before a user’s own weights are learned and added',
          ),
        repeat: repeatSchema
          .prefault({})
          .describe('how much each user comes back to what they had, learned from their events'),
        trend: trendSchema
          .prefault({})
          .describe('how much each user goes with what everyone turns to now, learned from their events'),
      })
      .prefault({})
      .describe('weights of each user’s own, added to the state that the model makes of the history'),
    newItems: z
      .number()
      .int()
      .min(0)
      .max(1_000_000)
      .default(1000)
      .describe(
        'items that may come while they are served: the first event on one gives it a row of its own; 0, and those beyond, are skipped',
      ),
    queue: z
      .number()
      .int()
      .min(1)
      .default(20_000)
      .describe('events that may wait to be learned; beyond, new events are refused with 503'),
  })
  .prefault({})
  .describe('how the served model learns from events');
export type LearningConfig = z.output<typeof learningSchema>;

/** How what learning earns is measured. */
export const qualitySchema = z
  .strictObject({
    arms: z
      .boolean()
      .default(true)
      .describe(
        'rank each event by popularity and by the model as it was first served, too: a second copy of the model, and its time; false: by what is served alone',
      ),
    share: z.number().min(0).max(1).default(1).describe('share of the users whose events are ranked'),
    window: z
      .number()
      .int()
      .min(10)
      .max(100_000)
      .default(1000)
      .describe('events over which quality is averaged'),
    includeSeen: z
      .boolean()
      .default(false)
      .describe('true: items of the history are ranked as well, and events on them counted'),
  })
  .prefault({})
  .describe('how what learning earns is measured: each event is ranked before it is learned');
export type QualityConfig = z.output<typeof qualitySchema>;

/** What it means that an event is acknowledged. */
export const durabilitySchema = z
  .enum(DURABILITIES)
  .default('always')
  .describe(
    'when events are acknowledged: always, once they are on the disk; interval or none, once the operating system has them, which brings them to the disk every `syncInterval` or at its leisure',
  );
export const syncIntervalSchema = z
  .number()
  .int()
  .min(1)
  .max(60_000)
  .default(100)
  .describe('milliseconds of events that a power cut may cost with `durability: interval`');

/** What is kept of users and of the journal. */
export const retentionSchema = z
  .strictObject({
    history: z.number().int().min(1).max(100_000).default(1000).describe('most recent events kept a user'),
    userDays: z
      .number()
      .positive()
      .max(36_500)
      .optional()
      .describe(
        'histories and own weights of users without an event for so many days are let go of, by the times of the events that others have; absent: kept',
      ),
    itemDays: z
      .number()
      .positive()
      .max(36_500)
      .optional()
      .describe(
        'an item that came while serving, and has had no event for so many days, gives up its row to one that comes when none of `learning.newItems` is free; absent: the one that comes is skipped',
      ),
    segmentBytes: z
      .number()
      .int()
      .min(4096)
      // A segment is read as a whole, which Node does up to 2 GB.
      .max(1024 * 1024 * 1024)
      .default(64 * 1024 * 1024)
      .describe('size at which a journal segment is closed'),
    segmentHours: z
      .number()
      .positive()
      .optional()
      .describe('age at which a journal segment is closed; absent: by size alone'),
    segments: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe('most closed journal segments kept once a snapshot covers them; absent: all'),
    days: z
      .number()
      .positive()
      .optional()
      .describe('closed journal segments last written longer ago are deleted once a snapshot covers them'),
    snapshotMinutes: z
      .number()
      .positive()
      .max(10_000)
      .default(15)
      .describe(
        'a snapshot is taken this often, and when the service stops: a start goes on from the newest',
      ),
    eventIds: z
      .number()
      .int()
      .min(10_000)
      .default(1_000_000)
      .describe('most recent event ids remembered to recognise a repeated one'),
  })
  .prefault({})
  .describe('what is kept of users and of the journal');
export type RetentionConfig = z.output<typeof retentionSchema>;

/** What requests may ask. */
export const requestSchema = z
  .strictObject({
    k: z.number().int().min(1).max(1000).default(10).describe('items returned where a request does not say'),
    maxEvents: z.number().int().min(1).max(1000).default(1000).describe('most events in one request'),
    bodyBytes: z
      .number()
      .int()
      .min(1024)
      .default(1024 * 1024)
      .describe('largest request body'),
    budgetMs: z
      .number()
      .positive()
      .max(60_000)
      .optional()
      .describe(
        'milliseconds for a list; where scores cannot be had in time it is the user’s last one, or popular items. Absent: as long as it takes',
      ),
  })
  .prefault({})
  .describe('what requests may ask');
export type RequestConfig = z.output<typeof requestSchema>;
