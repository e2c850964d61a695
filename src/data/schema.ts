import { z } from 'zod';
import { path, seed } from '../config/fields.js';

/** Formats a source may have; readers/index.ts has one reader for each. */
export const FORMATS = ['csv', 'tsv', 'jsonl', 'parquet', 'sequence', 'json-map', 'mind'] as const;
export type FormatName = (typeof FORMATS)[number];

const column = z
  .union([z.string().min(1), z.number().int().min(1)])
  .describe('a column: its name in the header, or its position counted from 1');

export type ColumnRef = z.output<typeof column>;

const timeFormat = z
  .string()
  .min(1)
  .refine(
    (v) => v.includes('%') || ['epoch-s', 'epoch-ms', 'iso'].includes(v),
    'expected epoch-s, epoch-ms, iso, or a strptime pattern such as %m/%d/%Y %I:%M:%S %p',
  )
  .describe(
    'how times are written: epoch-s, epoch-ms, iso, or a strptime pattern such as "%m/%d/%Y %I:%M:%S %p"; times without a zone are UTC',
  );

/** Keys that say where rows come from and how they are written; shared by interactions and attribute files. */
const file = {
  path: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe('file, glob or list of them, relative to `raw`; "-" is standard input; name.gz is found under its plain name too'),
  format: z
    .enum(FORMATS)
    .optional()
    .describe('file format; absent: by the extension (.csv .tsv .jsonl .parquet), else csv'),
  delimiter: z
    .string()
    .min(1)
    .optional()
    .describe('what stands between columns, one or more characters; default "," for csv, tab for tsv'),
  header: z
    .union([z.boolean(), z.array(z.string().min(1)).min(1)])
    .default(true)
    .describe('true: the first line names the columns; false: there is no such line; or the list of names'),
  quote: z
    .boolean()
    .default(true)
    .describe('whether a double quote opens a quoted field; false where quotes are part of the text'),
  encoding: z.enum(['utf-8', 'latin-1']).default('utf-8').describe('character encoding of text files'),
};

const interactionSource = z
  .strictObject({
    ...file,
    columns: z
      .strictObject({
        user: column.describe('column of the user id').optional(),
        item: column.describe('column of the item id').optional(),
        time: column.describe('column of the time').optional(),
        order: column.describe('column of a number that orders the rows of a user (after the time, if there is one)').optional(),
        behaviour: column.describe('column that says what the user did (view, cart, purchase …)').optional(),
        value: column.describe('column of the rating, play count, price paid …').optional(),
      })
      .default({})
      .describe('which column is what; formats `sequence` and `mind` name theirs themselves'),
    timeFormat: timeFormat.default('epoch-s'),
    rowsInOrder: z
      .boolean()
      .default(false)
      .describe('the rows of each user stand in the order in which they happened, though there is no time column'),
    behaviour: z.string().min(1).default('interaction').describe('what the user did, where no column says it'),
    dropEmpty: z
      .array(column)
      .default([])
      .describe('rows in which one of these columns is empty are left out (counted, not rejected)'),
  })
  .superRefine((source, context) => {
    if (source.format === 'sequence' || source.format === 'mind') return;
    for (const key of ['user', 'item'] as const) {
      if (source.columns[key] === undefined)
        context.addIssue({ code: 'custom', path: ['columns', key], message: `say which column holds the ${key} id` });
    }
  });

export type InteractionSource = z.output<typeof interactionSource>;

const attribute = z
  .strictObject({
    column: column.optional().describe('column of the attribute; absent where `flags` is given'),
    flags: z
      .record(z.string(), column)
      .optional()
      .describe('columns of 0/1 that together are one tags attribute: tag name → column'),
    type: z
      .enum(['category', 'tags', 'number', 'text', 'date'])
      .describe('category: one value; tags: several; number and date: standardised; text: its frequent words'),
    separator: z.string().min(1).default('|').describe('what stands between tags'),
    timeFormat: timeFormat.default('iso').describe('how dates are written (type date)'),
    minCount: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe('values that fewer training entities have become no feature; default 1, for text 5'),
    limit: z.number().int().min(1).default(32).describe('at most so many tags or words of one entity become features'),
    log: z.boolean().default(false).describe('take log(1 + x) before standardising (type number; prices, counts)'),
  })
  .superRefine((a, context) => {
    if ((a.column === undefined) === (a.flags === undefined))
      context.addIssue({ code: 'custom', path: [], message: 'give either `column` or `flags`' });
    if (a.flags && a.type !== 'tags')
      context.addIssue({ code: 'custom', path: ['type'], message: '`flags` make an attribute of type tags' });
  });

export type AttributeConfig = z.output<typeof attribute>;

const RESERVED = ['index', 'id', 'title', 'train_count', 'cold'];

const attributeSource = z.strictObject({
  ...file,
  id: column.optional().describe('column of the id; format json-map names it itself'),
  title: column.optional().describe('column of the display title'),
  attributes: z
    .record(
      z
        .string()
        .min(1)
        .refine((name) => !RESERVED.includes(name), `an attribute cannot be called ${RESERVED.join(', ')}`),
      attribute,
    )
    .default({})
    .describe('attribute name → its column and type'),
});

export type AttributeSource = z.output<typeof attributeSource>;

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

const coldSide = z
  .strictObject({
    fraction: z.number().min(0).max(1).optional().describe('share of them drawn at random'),
    firstSeenFrom: z.string().optional().describe('those whose first row is at or after this ISO time'),
    attribute: z.string().optional().describe('number, date or category attribute that decides, with `from` or `values`'),
    from: z
      .union([z.number(), z.string()])
      .optional()
      .describe('those whose attribute is at least this (a date as ISO text)'),
    values: z.array(z.string()).optional().describe('those whose attribute has one of these values'),
  })
  .superRefine((side, context) => {
    const ways = [side.fraction, side.firstSeenFrom, side.attribute].filter((v) => v !== undefined).length;
    if (ways !== 1)
      context.addIssue({ code: 'custom', path: [], message: 'give one of `fraction`, `firstSeenFrom`, `attribute`' });
    if (side.attribute !== undefined && (side.from === undefined) === (side.values === undefined))
      context.addIssue({ code: 'custom', path: ['attribute'], message: 'give `from` or `values` with `attribute`' });
  });

export type ColdSide = z.output<typeof coldSide>;

const common = {
  order: z
    .enum(['temporal', 'random'])
    .describe('temporal: no held-out row is earlier than a training row of the same user (global-time: of anyone)'),
  catalogue: z
    .enum(['train', 'all'])
    .default('all')
    .describe('items that are ranked: those with training rows (held-out rows of others are dropped and counted), or all'),
};

const split = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('leave-last-out').describe('the last rows of each user are held out'),
    ...common,
    order: common.order.default('temporal'),
    validation: z.number().int().min(0).default(1).describe('rows of each user held out for validation, before the test rows'),
    test: z.number().int().min(1).default(1).describe('last rows of each user held out for the test'),
  }),
  z.strictObject({
    kind: z.literal('global-time').describe('rows after a moment are held out'),
    ...common,
    order: common.order.default('temporal'),
    validation: z
      .union([z.number().min(0).max(1), z.string()])
      .default(0.1)
      .describe('share of all rows before the test rows, or the ISO time from which rows are for validation'),
    test: z
      .union([z.number().gt(0).max(1), z.string()])
      .default(0.1)
      .describe('share of all rows at the end, or the ISO time from which rows are for the test'),
  }),
  z.strictObject({
    kind: z.literal('user-ratio').describe('a share of each user’s rows is held out: the last ones, or random ones, as `order` says'),
    ...common,
    validation: z.number().min(0).lt(1).default(0.1).describe('share of each user’s rows held out for validation'),
    test: z.number().gt(0).lt(1).default(0.2).describe('share of each user’s rows held out for the test'),
  }),
  z.strictObject({
    kind: z.literal('cold').describe('cold users and cold items: every row of theirs is held out for the test'),
    ...common,
    order: common.order.default('random'),
    users: coldSide.optional().describe('which users are cold; absent: none'),
    items: coldSide.optional().describe('which items are cold; absent: none'),
    validation: z.number().min(0).lt(1).default(0.1).describe('share of the remaining rows held out for validation, at random'),
  }),
]);

export type SplitConfig = z.output<typeof split>;
export type SplitKind = SplitConfig['kind'];

/** The YAML of `recsys prepare`. */
export const prepareSchema = z
  .strictObject({
    name: z.string().min(1).default('dataset').describe('name of the dataset, for people'),
    raw: path('folder to which relative data paths in this file refer; absent: the working directory').optional(),
    input: z.string().min(1).optional().describe('interactions file to read instead of `interactions.path`; "-" is standard input'),
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
      .describe('value in the source → name and weight, in the order of their codes; values not listed follow with weight 1'),
    items: z.array(attributeSource).default([]).describe('files with item attributes'),
    users: z.array(attributeSource).default([]).describe('files with user attributes'),
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
    split: split.prefault({ kind: 'leave-last-out' }).describe('how rows are divided into train, validation and test'),
    extend: path('dataset whose user, item and token numbers are kept; new ones are appended').optional(),
    memoryLimit: z
      .string()
      .regex(/^\d+(\.\d+)?\s*(MB|GB|MiB|GiB)$/i, 'expected an amount such as 512MB or 1.5GB')
      .default('1GB')
      .describe('memory of the staging database; what does not fit is sorted on disk'),
    seed,
  })
  .superRefine((config, context) => {
    const { kind, order } = config.split;
    if (kind === 'cold' && config.split.items && config.split.catalogue === 'train')
      context.addIssue({
        code: 'custom',
        path: ['split', 'catalogue'],
        message: 'cold items have no training row, so catalogue: train would drop them all; use catalogue: all',
      });
    const only = { 'leave-last-out': 'temporal', 'global-time': 'temporal', cold: 'random' } as const;
    if (kind !== 'user-ratio' && order !== only[kind])
      context.addIssue({
        code: 'custom',
        path: ['split', 'order'],
        message: `split ${kind} is ${only[kind]}, but order: ${order} is declared${kind === 'cold' ? '' : ' (user-ratio can be random)'}`,
      });
  });

export type PrepareConfig = z.output<typeof prepareSchema>;
