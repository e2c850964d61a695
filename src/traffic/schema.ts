import { z } from 'zod';
import { path, seed } from '../config/fields.js';
import { column, fileFormat, timeFormat } from '../data/source-schema.js';

const PARTS = ['train', 'validation', 'test', 'all'] as const;

const to = z
  .url({ protocol: /^https?$/, error: 'expected an address such as http://127.0.0.1:8080' })
  .describe('address of the service, such as http://127.0.0.1:8080');
const timeout = z
  .number()
  .positive()
  .default(10)
  .describe('seconds after which a request that is not answered counts as failed');
const connections = z.number().int().min(1).max(1024);

/** How a log is written, as `recsys journal export` writes it unless told otherwise. */
const log = {
  ...fileFormat,
  columns: z
    .strictObject({
      user: column.default('user').describe('column of the user id'),
      item: column.default('item').describe('column of the item id'),
      time: column.default('time').describe('column of the time'),
      id: column.optional().describe('column of the event’s own id; absent: one made from the row'),
      behaviour: column.optional().describe('column that says what the user did'),
      value: column.optional().describe('column of the rating, play count, price paid …'),
      context: column.optional().describe('column of a JSON object that is kept with the event'),
    })
    .prefault({})
    .describe(
      'which column is what; of JSON lines, `id`, `behaviour`, `value` and `context` are found by these names',
    ),
  timeFormat: timeFormat.default('epoch-ms'),
  behaviour: z
    .string()
    .min(1)
    .optional()
    .describe('what the users did, where no column says it; a model of one behaviour needs none'),
};

export const replaySchema = z
  .strictObject({
    to,
    events: path('log to send: CSV, JSON lines or Parquet, gzipped or not; a glob for several').optional(),
    ...log,
    data: path('prepared dataset to send rows of, instead of a log').optional(),
    part: z.enum(PARTS).default('test').describe('which rows of `data`'),
    speed: z
      .union([z.literal('max'), z.coerce.number<number>().positive()])
      .default('max')
      .describe('times as fast as the events happened; max: as fast as they are acknowledged'),
    batch: z.number().int().min(1).max(1000).default(100).describe('most events in one request'),
    connections: connections
      .default(1)
      .describe('requests under way at a time; the events of a user keep their order'),
    limit: z.number().int().min(1).optional().describe('send the first so many events only'),
    timeout,
    patience: z
      .number()
      .min(0)
      .default(60)
      .describe('seconds for which a request is tried again while the service is busy or away'),
  })
  .refine(({ events, data }) => (events === undefined) !== (data === undefined), {
    path: ['events'],
    message: 'say either which log to send (`events`) or which dataset (`data`)',
  });
export type ReplayConfig = z.output<typeof replaySchema>;

/** What is asked, by its share. */
export const ROUTES = ['get', 'post', 'state', 'elicitation'] as const;
const share = z.number().min(0);

export const loadTestSchema = z.strictObject({
  to,
  data: path('dataset whose users ask, and whose events are sent').optional(),
  users: path('text file with one user id a line: who asks').optional(),
  behaviour: z
    .string()
    .min(1)
    .optional()
    .describe('behaviour of the events sent without `data`; a model of one behaviour needs none'),
  connections: connections.default(16).describe('requests for recommendations under way at a time'),
  rate: z
    .number()
    .positive()
    .optional()
    .describe('requests a second, begun on time (open loop); absent: each after an answer (closed loop)'),
  mix: z
    .strictObject({
      get: share.default(1).describe('GET /v1/recommendations'),
      post: share.default(0).describe('POST /v1/recommendations'),
      state: share.default(0).describe('GET /v1/state'),
      elicitation: share.default(0).describe('GET /v1/elicitation'),
    })
    .prefault({})
    .refine((mix) => Object.values(mix).some((weight) => weight > 0), 'one of them must be above 0')
    .describe('what is asked, by share'),
  k: z.number().int().min(1).max(100).default(10).describe('items asked for'),
  events: z
    .number()
    .min(0)
    .default(0)
    .describe('events a second sent alongside, which the served model learns'),
  batch: z.number().int().min(1).max(1000).default(1).describe('events in one request'),
  warmup: z.number().min(0).default(2).describe('seconds before anything is counted'),
  duration: z.number().positive().default(10).describe('seconds that are counted'),
  timeout,
  seed,
});
export type LoadTestConfig = z.output<typeof loadTestSchema>;
