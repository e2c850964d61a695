import { z } from 'zod';

/** A path in a YAML file: the loader makes it absolute against the YAML's folder (flags: against the working directory). */
export function path(description: string) {
  return z.string().min(1).meta({ format: 'path', description });
}

/** The seed every stage takes. */
export const seed = z
  .number()
  .int()
  .min(0)
  .default(42)
  .describe('seed of the run; with the same seed, machine type and backend a run repeats bit for bit');

/** Settings by the name that a schema's key `preset` gives: they lie under what the user writes, above the schema's defaults. */
export const presets = z.registry<Readonly<Record<string, Readonly<Record<string, unknown>>>>>();
