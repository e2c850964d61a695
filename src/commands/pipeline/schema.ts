import { z } from 'zod';
import { BACKENDS } from '../../compute/backend.js';
import { path } from '../../config/fields.js';

const scalar = z.union([z.string(), z.number(), z.boolean()]);

const stage = z.object({
  id: z
    .string()
    .regex(/^[A-Za-z][\w-]*$/)
    .describe('name of the stage in this pipeline, and of its folder inside `out`'),
  stage: z
    .string()
    .describe('the command: generate, prepare, pretrain, distill, finetune, compress, evaluate, recommend'),
  config: path("the stage's settings").optional(),
  with: z
    .record(z.string(), z.unknown())
    .default({})
    .describe(
      `settings that win over \`config\`; \${id} is the output of an earlier stage, \${name} a variable`,
    ),
});

/** `pipeline.yaml` */
export const pipelineSchema = z.object({
  vars: z
    .record(z.string(), z.union([scalar, z.object({ path: path('a path, relative to this file') })]))
    .default({})
    .describe('variables, set from outside with --set name=value: a plain value, or `{path: …}`'),
  out: path('folder that holds one folder a stage').optional(),
  seed: z.int().min(0).optional().describe('seed of every stage that does not set its own'),
  backend: z.enum(BACKENDS).optional().describe('backend of every stage that does not set its own'),
  stages: z.array(stage).min(1).describe('the stages, in the order in which they run'),
  only: z.string().optional().describe('run this stage alone'),
  from: z.string().optional().describe('run this stage and those after it even where they are up to date'),
});

export type Pipeline = z.output<typeof pipelineSchema>;
