import { z } from 'zod';
import { path } from '../../config/fields.js';

/** The stages that can be searched over: those that train and validate by epochs. */
export const TRAINING = ['pretrain', 'distill', 'finetune', 'meta-train'] as const;

const range = z
  .strictObject({
    min: z.number().describe('least value'),
    max: z.number().describe('greatest value'),
    scale: z
      .enum(['linear', 'log'])
      .default('linear')
      .describe('log: each order of magnitude is drawn as often as the others'),
    integer: z.boolean().default(false).describe('whole numbers only'),
  })
  .superRefine(({ min, max, scale, integer }, context) => {
    const refuse = (key: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [key], message });
    if (max < min) refuse('max', `the range is empty: ${max} is less than min, ${min}`);
    else if (integer && Math.floor(max) < Math.ceil(min))
      refuse('max', `the range is empty: there is no whole number from ${min} to ${max}`);
    if (scale === 'log' && min <= 0) refuse('min', `a log scale begins above 0, found ${min}`);
  })
  .describe('a range to draw numbers from');
export type Range = z.output<typeof range>;

const choices = z.array(z.unknown()).min(1).describe('values to draw from, each as likely as the others');

const space = z
  .record(z.string(), z.union([choices, range]))
  .superRefine((keys, context) => {
    for (const key of Object.keys(keys)) {
      if (key.split('.').includes(''))
        context.addIssue({ code: 'custom', path: [key], message: 'expected a key path, key.path' });
    }
    if (Object.keys(keys).length === 0)
      context.addIssue({ code: 'custom', path: [], message: 'names no key to search over' });
  })
  .describe(
    'what is searched: key.path of the stage’s settings → a list of values, or {min, max, scale, integer}',
  );
export type Space = z.output<typeof space>;

/** `search.yaml` of `recsys tune` */
export const tuneSchema = z.strictObject({
  stage: z.enum(TRAINING).describe('the training stage whose settings are searched'),
  config: path("the stage's settings").optional(),
  with: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('settings of the stage that win over `config`; those of a trial win over both'),
  search: space,
  method: z
    .enum(['random', 'halving'])
    .default('random')
    .describe(
      'random trains every trial to its end; halving lets only the best go on from one rung of epochs to the next',
    ),
  trials: z.int().min(1).default(20).describe('number of trials'),
  eta: z
    .int()
    .min(2)
    .default(3)
    .describe('of halving: one trial in this many goes on, for this many times the epochs'),
  minEpochs: z.int().min(1).default(1).describe('of halving: the first rung has at least this many epochs'),
  metric: z
    .string()
    .default('ndcg@10')
    .describe(
      'validation metric by which trials are compared: greater is better, less of a loss or an error',
    ),
  seed: z
    .int()
    .min(0)
    .default(42)
    .describe('seed the trials are drawn with; the training has its own, `with: { seed: … }`'),
  parallel: z.int().min(1).default(1).describe('trials trained at a time, each in a process of its own'),
  out: path('folder of the search: trials, results, best settings').optional(),
});
export type TuneConfig = z.output<typeof tuneSchema>;
