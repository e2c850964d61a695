import { z } from 'zod';

/** Formats a source may have; readers/index.ts has one reader for each. */
export const FORMATS = ['csv', 'tsv', 'jsonl', 'parquet', 'sequence', 'json-map', 'mind'] as const;
export type FormatName = (typeof FORMATS)[number];

export const column = z
  .union([z.string().min(1), z.number().int().min(1)])
  .describe('a column: its name in the header, or its position counted from 1');

export type ColumnRef = z.output<typeof column>;

export const timeFormat = z
  .string()
  .min(1)
  .refine(
    (v) =>
      /^(?:[^%]|%[YymbdHIMSp%])*%[YymbdHIMSp%](?:[^%]|%[YymbdHIMSp%])*$/.test(v) ||
      ['epoch-s', 'epoch-ms', 'iso'].includes(v),
    'expected epoch-s, epoch-ms, iso, or a strptime pattern such as %m/%d/%Y %I:%M:%S %p (directives: Y y m b d H I M S p)',
  )
  .describe(
    'how times are written: epoch-s, epoch-ms, iso, or a strptime pattern such as "%m/%d/%Y %I:%M:%S %p"; times without a zone are UTC',
  );

/** Keys that say how rows are written. */
export const fileFormat = {
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

/** Keys that say where rows come from and how they are written; shared by interactions and attribute files. */
const file = {
  path: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe(
      'file, glob or list of them, relative to `raw`; "-" is standard input; name.gz is found under its plain name too',
    ),
  ...fileFormat,
};

/** `interactions`: a file of interactions and what its columns mean. */
export const interactionSource = z
  .strictObject({
    ...file,
    columns: z
      .strictObject({
        user: column.describe('column of the user id').optional(),
        item: column.describe('column of the item id').optional(),
        time: column.describe('column of the time').optional(),
        order: column
          .describe('column of a number that orders the rows of a user (after the time, if there is one)')
          .optional(),
        behaviour: column.describe('column that says what the user did (view, cart, purchase …)').optional(),
        value: column.describe('column of the rating, play count, price paid …').optional(),
      })
      .default({})
      .describe('which column is what; formats `sequence` and `mind` name theirs themselves'),
    timeFormat: timeFormat.default('epoch-s'),
    rowsInOrder: z
      .boolean()
      .default(false)
      .describe(
        'the rows of each user stand in the order in which they happened, though there is no time column',
      ),
    behaviour: z
      .string()
      .min(1)
      .default('interaction')
      .describe('what the user did, where no column says it'),
    impressions: z
      .boolean()
      .default(false)
      .describe(
        'also keep what was shown together, clicked or not, so that `evaluate` can rank it (format mind)',
      ),
    dropEmpty: z
      .array(column)
      .default([])
      .describe('rows in which one of these columns is empty are left out (counted, not rejected)'),
  })
  .superRefine((source, context) => {
    if (source.impressions && source.format !== 'mind')
      context.addIssue({
        code: 'custom',
        path: ['impressions'],
        message: 'only format mind says what was shown together',
      });
    if (source.format === 'sequence' || source.format === 'mind') return;
    for (const key of ['user', 'item'] as const) {
      if (source.columns[key] === undefined)
        context.addIssue({
          code: 'custom',
          path: ['columns', key],
          message: `say which column holds the ${key} id`,
        });
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
      .describe(
        'category: one value; tags: several; number and date: standardised; text: its frequent words, or hashed ones',
      ),
    separator: z.string().min(1).default('|').describe('what stands between tags'),
    timeFormat: timeFormat.default('iso').describe('how dates are written (type date)'),
    minCount: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe(
        'values that fewer training entities have become no feature; default 1, for words of a text 5',
      ),
    buckets: z
      .number()
      .int()
      .min(2)
      .optional()
      .describe(
        'text: hash its words into so many features, so that words no training entity has count as well; absent: each frequent word is one',
      ),
    limit: z
      .number()
      .int()
      .min(1)
      .default(32)
      .describe('at most so many tags or words of one entity become features'),
    feature: z
      .boolean()
      .default(true)
      .describe('false: models do not see it; it is kept for `split` and for people'),
    log: z
      .boolean()
      .default(false)
      .describe('take log(1 + x) before standardising (type number; prices, counts)'),
  })
  .superRefine((a, context) => {
    if ((a.column === undefined) === (a.flags === undefined))
      context.addIssue({ code: 'custom', path: [], message: 'give either `column` or `flags`' });
    if (a.flags && a.type !== 'tags')
      context.addIssue({ code: 'custom', path: ['type'], message: '`flags` make an attribute of type tags' });
    if (a.buckets !== undefined && a.type !== 'text')
      context.addIssue({ code: 'custom', path: ['buckets'], message: 'only a text is hashed (type: text)' });
  });

export type AttributeConfig = z.output<typeof attribute>;

const RESERVED = ['index', 'id', 'title', 'train_count', 'cold'];

/** An entry of `items` or `users`: a file of attributes. */
export const attributeSource = z.strictObject({
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
