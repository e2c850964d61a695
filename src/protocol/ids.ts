import { z } from 'zod';

const LONE_SURROGATE = /\p{Surrogate}/u;
/** A lone surrogate has no UTF-8: no address could name such an id, and its hash would be that of another. */
const idText = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => !LONE_SURROGATE.test(text), 'it is not Unicode (a lone surrogate)');

/** Ids are strings; whole numbers are taken as their decimal text. */
export const externalId = z.union([idText, z.number().int()]).transform(String);

/** Ids separated by commas, as a query has them. */
export const idList = z.string().transform((text) => text.split(',').filter((id) => id !== ''));

/** Milliseconds since the epoch, also from ISO 8601. */
export const eventTime = z.union([
  z.number().min(0).max(8.64e15),
  z.iso
    .datetime({ offset: true })
    .transform((text) => Date.parse(text))
    .pipe(z.number().min(0)),
]);

/** The largest number of single precision, in which models read values: beyond, a value would be infinite. */
const MOST = 3.4028234663852886e38;
export const eventValue = z.number().min(-MOST).max(MOST);
