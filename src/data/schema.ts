import { z } from 'zod';
import { path, seed } from '../config/fields.js';
import { attributeSource, interactionSource } from './source-schema.js';
import { type SplitConfig, splitSchema } from './split-schema.js';

const cleaning = z.strictObject({
  duplicates: z
    .enum(['keep', 'first', 'last'])
    .default('keep')
    .describe('rows of the same user, item and behaviour: keep all, or the first or last in time'),
  behaviours: z.array(z.string().min(1)).optional().describe('keep only these behaviours'),
  minValue: z.number().optional().describe('keep only rows with at least this value (rating)'),
  from: z.string().optional().describe('keep only rows at or after this ISO time'),
  until: z.string().optional().describe('keep only rows before this ISO time'),
  core: z
    .strictObject({
      user: z.number().int().min(0).default(0).describe('every user keeps at least so many rows'),
      item: z.number().int().min(0).default(0).describe('every item keeps at least so many rows'),
    })
    .prefault({})
    .describe('k-core, repeated until both hold; 0 switches it off'),
});

export type CleaningConfig = z.output<typeof cleaning>;

/** The YAML of `recsys prepare`. */
export const prepareSchema = z
  .strictObject({
    name: z.string().min(1).default('dataset').describe('name of the dataset, for people'),
    raw: path(
      'folder to which relative data paths in this file refer; absent: the working directory',
    ).optional(),
    input: z
      .string()
      .min(1)
      .optional()
      .describe('interactions file to read instead of `interactions.path`; "-" is standard input'),
    interactions: interactionSource.describe('who did what, and when'),
    additional: z
      .array(interactionSource)
      .default([])
      .describe('further interaction files, for instance of another behaviour'),
    behaviours: z
      .record(
        z.string(),
        z.strictObject({
          name: z.string().min(1).optional().describe('name in the dataset; absent: as in the source'),
          weight: z.number().min(0).default(1).describe('how much one such row counts'),
        }),
      )
      .default({})
      .describe(
        'value in the source → name and weight, in the order of their codes; values not listed follow with weight 1',
      ),
    items: z.array(attributeSource).default([]).describe('files with item attributes'),
    users: z.array(attributeSource).default([]).describe('files with user attributes'),
    idPrefix: z
      .strictObject({
        users: z.string().default('').describe('before the ids of users'),
        items: z.string().default('').describe('before the ids of items'),
      })
      .prefault({})
      .describe(
        'put before every id of this data: for data whose ids mean others than the same ids in the dataset it extends',
      ),
    unseenItems: z
      .boolean()
      .default(false)
      .describe('also number the items that only the attribute files name, so that they can be recommended'),
    rejectLimit: z
      .number()
      .min(0)
      .max(1)
      .default(0.01)
      .describe('share of rows that may be rejected before the stage stops'),
    cleaning: cleaning.prefault({}).describe('which rows are kept'),
    split: splitSchema
      .prefault({ kind: 'leave-last-out' })
      .describe('how rows are divided into train, validation and test'),
    extend: path('dataset whose user, item and token numbers are kept; new ones are appended').optional(),
    memoryLimit: z
      .string()
      .regex(/^\d+(\.\d+)?\s*(MB|GB|MiB|GiB)$/i, 'expected an amount such as 512MB or 1.5GB')
      .default('1GB')
      .describe('memory of the staging database; what does not fit is sorted on disk'),
    seed,
  })
  .superRefine((config, context) => {
    const { kind } = config.split;
    if (kind === 'cold' && config.split.items && config.split.catalogue === 'train')
      context.addIssue({
        code: 'custom',
        path: ['split', 'catalogue'],
        message:
          'cold items have no training row, so catalogue: train would drop them all; use catalogue: all',
      });
    const message = refusedOrder(config.split);
    if (message) context.addIssue({ code: 'custom', path: ['split', 'order'], message });
  });

/** Why a split cannot keep the order it declares; nothing where it can. */
function refusedOrder(split: SplitConfig): string | undefined {
  const { kind, order } = split;
  if (kind === 'user-ratio') return undefined;
  if (kind === 'cold')
    return order === 'temporal' && split.items
      ? 'rows of cold items stand among earlier and later ones, so the split is random; order: temporal is for cold users alone'
      : undefined;
  return order === 'temporal'
    ? undefined
    : `split ${kind} is temporal, but order: ${order} is declared (user-ratio can be random)`;
}

export type PrepareConfig = z.output<typeof prepareSchema>;
