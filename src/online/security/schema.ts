import { z } from 'zod';
import { path } from '../../config/fields.js';

const rateSchema = z.strictObject({
  perSecond: z.number().positive().describe('how many a second in the long run'),
  burst: z.number().min(1).describe('how many at once after a rest'),
});

/** Who may use the service, and how much. */
export const securitySchema = z
  .strictObject({
    keys: path(
      'key file that `recsys serve-online keys create` writes: requests need one of its keys; absent: everyone is let in, on loopback alone',
    ).optional(),
    tls: z
      .strictObject({
        cert: path('certificate with its chain, PEM'),
        key: path('private key of the certificate, PEM without a passphrase'),
      })
      .optional()
      .describe('serve HTTPS; absent: HTTP'),
    limits: z
      .strictObject({
        perKey: rateSchema
          .optional()
          .describe(
            'requests of one key, or of one address where no valid key comes with them; absent: no limit',
          ),
        perUser: rateSchema.optional().describe('events and requests about one user id; absent: no limit'),
        remembered: z
          .number()
          .int()
          .min(100)
          .default(100_000)
          .describe('most keys and addresses, and most users, whose use is remembered'),
      })
      .prefault({})
      .describe('how much each may ask; beyond, requests are refused with 429'),
  })
  .prefault({})
  .describe('who may use the service, and how much');
export type SecurityConfig = z.output<typeof securitySchema>;
