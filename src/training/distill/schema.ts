import { z } from 'zod';
import { path } from '../../config/fields.js';
import { ALIGNMENTS } from '../../model/losses/distillation/feature-alignment.js';
import { SOFT_CANDIDATES } from '../../model/losses/distillation/soft-labels.js';
import { modelSchema } from '../../model/registry.js';
import { ridgeSchema } from '../ridge/schema.js';
import { commonTraining, lossName, targetsSchema } from '../schema.js';

const weight = (value: number) => z.number().min(0).default(value).describe('weight in the loss');

/** `recsys distill`: the YAML's keys. */
export const distillSchema = z
  .strictObject({
    ...commonTraining,
    teacher: path('checkpoint of the teacher'),
    student: modelSchema
      .prefault({ name: 'transformer', width: 32, depth: 1, heads: 1 })
      .describe('the student'),
    from: path('student checkpoint to go on from; then `student` is not read').optional(),
    keepZeros: z
      .boolean()
      .default(false)
      .describe('weights of `from` that are 0 stay 0: for a pruned student'),
    start: z
      .enum(['fresh', 'teacher'])
      .default('fresh')
      .describe(
        'item vectors of the student at the beginning: random, or the teacher’s along their main directions',
      ),
    soft: z
      .strictObject({
        weight: weight(1),
        temperature: z.number().positive().default(1).describe('softens both distributions'),
        candidates: z
          .enum(SOFT_CANDIDATES)
          .default('all')
          .describe(
            'items compared: all; sampled: the teacher’s best and those drawn (for large catalogues); union: the teacher’s best and the student’s',
          ),
        studentTop: z
          .number()
          .int()
          .min(1)
          .default(20)
          .describe('union: how many of the student’s best items are compared'),
      })
      .prefault({})
      .describe('soft labels: the teacher’s distribution over items'),
    hard: z
      .strictObject({
        weight: weight(1),
        loss: lossName.default('softmax').describe('loss on the items that were chosen'),
      })
      .prefault({})
      .describe('hard labels: the items that were chosen'),
    ranking: z
      .strictObject({
        weight: weight(0),
        top: z
          .number()
          .int()
          .min(1)
          .default(20)
          .describe('how many of the teacher’s best items are put in order'),
      })
      .prefault({})
      .describe('ranking distillation: the teacher’s best items in its order, above those drawn'),
    alignment: z
      .strictObject({
        weight: weight(0),
        layer: z
          .union([z.enum(['middle', 'top']), z.string().min(1)])
          .default('top')
          .describe('layer of the teacher'),
        kind: z
          .enum(ALIGNMENTS)
          .default('cosine')
          .describe('cosine and mse: through a learned projection; relational: distances between positions'),
      })
      .prefault({})
      .describe('feature alignment: the student’s state with a layer of the teacher'),
    answers: z
      .strictObject({
        top: z
          .number()
          .int()
          .min(1)
          .default(64)
          .describe('the teacher’s best items that are kept of a position'),
        tail: z.number().int().min(0).default(16).describe('items drawn from its others'),
        cache: path('folder that keeps the answers for later runs; default: they go with the run').optional(),
      })
      .prefault({})
      .describe('the teacher’s answers: asked once, kept on disk, read by every epoch'),
    userShare: z
      .number()
      .gt(0)
      .max(1)
      .default(1)
      .describe('share of the users that is learned from, drawn by the seed'),
    ridge: ridgeSchema,
    negatives: z.number().int().min(1).default(256).describe('negatives of a sampled hard loss'),
    targets: targetsSchema,
  })
  .superRefine(({ from, keepZeros, start }, context) => {
    const refuse = (key: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [key], message });
    if (keepZeros && from === undefined) refuse('keepZeros', 'needs `from`, the checkpoint with the zeros');
    if (start === 'teacher' && from !== undefined)
      refuse('start', 'a student goes on `from` a checkpoint, or starts at the teacher, not both');
  })
  .superRefine(({ ranking, answers }, context) => {
    if (ranking.weight === 0 || ranking.top <= answers.top) return;
    const message = `the answers hold the teacher's best ${answers.top} (answers.top)`;
    context.addIssue({ code: 'custom', path: ['ranking', 'top'], message });
  });

export type DistillConfig = z.output<typeof distillSchema>;
