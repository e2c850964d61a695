import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Answer, Question } from '../../data/questions.js';
import { RecsysError } from '../../errors.js';
import { COLD_TASKS } from '../cold/schema.js';
import { STRATEGY_NAMES } from './index.js';

/** A question by item id, and which follows each answer; with `tree` alone. */
export interface StoredQuestion extends Question<string> {
  readonly title: string;
  readonly next: { readonly [A in Answer]?: StoredQuestion | undefined };
}

const question: z.ZodType<StoredQuestion> = z.lazy(() =>
  z.object({
    item: z.string(),
    title: z.string(),
    threshold: z.number(),
    next: z.object({
      unknown: question.optional(),
      low: question.optional(),
      high: question.optional(),
    }),
  }),
);

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });

/** `elicitation.json`: what to ask a new user about, and how well that went with simulated ones. */
export const elicitationSchema = z.object({
  kind: z.literal('elicitation'),
  formatVersion: z.literal(1),
  model: z.string(),
  dataset: z.object({ path: z.string(), name: z.string(), fingerprint: z.string() }),
  strategy: z.enum(STRATEGY_NAMES),
  tree: question.optional(),
  /** The first question first; with a tree, what is asked once that has ended. */
  items: z.array(z.object({ item: z.string(), title: z.string() })),
  interviews: z
    .object({
      users: z.number(),
      questions: z.number(),
      task: z.enum(COLD_TASKS),
      rows: z.array(
        z.object({
          strategy: z.string(),
          answers: z.number(),
          metrics: z.record(z.string(), interval),
          difference: z.record(z.string(), interval).optional(),
        }),
      ),
    })
    .optional(),
  seconds: z.number(),
});
export type ElicitationResults = z.infer<typeof elicitationSchema>;

export interface StoredQuestions {
  readonly strategy: string;
  readonly items: readonly string[];
  readonly tree: StoredQuestion | undefined;
}

/**
 * The questions that `recsys elicit` wrote into a directory.
 * @throws CONFIG_INVALID where there is none
 */
export async function readQuestions(directory: string): Promise<StoredQuestions> {
  const file = join(directory, 'elicitation.json');
  try {
    const { strategy, items, tree } = elicitationSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    return { strategy, items: items.map(({ item }) => item), tree };
  } catch (cause) {
    throw new RecsysError('CONFIG_INVALID', `elicitation: ${file} is no list of questions`, {
      remedy: 'Give the directory that `recsys elicit` wrote.',
      cause,
    });
  }
}
