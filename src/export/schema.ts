import { z } from 'zod';
import { BACKENDS } from '../compute/backend.js';
import { path, seed } from '../config/fields.js';

export const EXPORT_FORMATS = ['savedmodel', 'onnx', 'item-vectors'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** The YAML of `recsys export`. */
export const exportSchema = z.strictObject({
  model: path('checkpoint directory'),
  format: z
    .enum(EXPORT_FORMATS)
    .describe('savedmodel (TensorFlow), onnx, or item-vectors: the vectors whose dot product is the score'),
  top: z
    .number()
    .int()
    .min(0)
    .max(1000)
    .default(10)
    .describe('of savedmodel and onnx: so many best items as the output `top`; 0: without'),
  vectors: z
    .enum(['parquet', 'npy', 'both'])
    .default('parquet')
    .describe('of item-vectors: as Parquet with ids and titles, as NumPy arrays, or as both'),
  data: path('prepared dataset whose histories the parity check asks with; default: random ones').optional(),
  parity: z
    .strictObject({
      requests: z
        .number()
        .int()
        .min(1)
        .default(100)
        .describe('requests on which what was written is compared with the checkpoint'),
      tolerance: z
        .number()
        .positive()
        .default(1e-4)
        .describe('largest difference of a score, as a share of the largest score of its request'),
      store: z
        .boolean()
        .default(false)
        .describe('also write the requests and the checkpoint’s scores, for a check elsewhere'),
    })
    .prefault({})
    .describe('the comparison with the checkpoint that an export must pass'),
  backend: z.enum(BACKENDS).optional().describe('tensor backend; savedmodel and onnx need tensorflow'),
  seed,
});
export type ExportConfig = z.output<typeof exportSchema>;
