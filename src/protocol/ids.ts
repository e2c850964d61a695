import { z } from 'zod';

/** Ids are strings; whole numbers are taken as their decimal text. */
export const externalId = z.union([z.string().min(1).max(256), z.number().int()]).transform(String);

/** Ids separated by commas, as a query has them. */
export const idList = z.string().transform((text) => text.split(',').filter((id) => id !== ''));

/** Milliseconds since the epoch, also from ISO 8601. */
export const eventTime = z.union([
  z.number().min(0).max(8.64e15),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
]);
