import { z } from 'zod';
import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import type { Part } from './queries.js';

/** Everything a number depends on besides the scorer. Stored with every result. */
export const protocolSchema = z.object({
  /** Hash of the dataset's contents, order and split. */
  dataset: z.string(),
  /** Hash of the test rows alone. */
  testSetHash: z.string(),
  part: z.enum(['validation', 'test']),
  split: z.string(),
  order: z.enum(['temporal', 'random']),
  filterSeen: z.boolean(),
  candidates: z.enum(['train', 'all']),
  /** Number of candidates. */
  catalogue: z.number().int(),
  tieRule: z.literal('half'),
  ks: z.array(z.number().int()),
  users: z.number().int(),
  /** Present where the items that were shown together are ranked: how many impressions. */
  impressions: z.number().int().optional(),
  /** Hash of the users' ids and targets: equal sets are asked of both. */
  querySet: z.string(),
  targetBehaviours: z.array(z.string()).optional(),
  /** Present where targets of the user's own history are left out. */
  unseenTargets: z.literal(true).optional(),
  /** Present where targets were ranked among this many sampled negatives instead of all candidates. */
  sampledNegatives: z.number().int().optional(),
});
export type Protocol = z.infer<typeof protocolSchema>;

/** Fields that may differ between comparable results: equal test rows and candidates make equal questions. */
const IRRELEVANT = new Set<keyof Protocol>(['dataset', 'ks']);

/** Names of the fields in which two protocols differ. */
export function protocolDifferences(a: Protocol, b: Protocol): string[] {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])] as (keyof Protocol)[];
  return keys.filter((key) => !IRRELEVANT.has(key) && JSON.stringify(a[key]) !== JSON.stringify(b[key]));
}

/**
 * Refuses to compare numbers of unlike protocols.
 *
 * @throws PROTOCOL_MISMATCH naming the fields with both values
 */
export function comparable(a: Protocol, b: Protocol): void {
  const fields = protocolDifferences(a, b);
  if (fields.length === 0) return;
  const parts = (fields as (keyof Protocol)[]).map(
    (field) => `${field} (${show(a[field])} against ${show(b[field])})`,
  );
  throw new RecsysError(
    'PROTOCOL_MISMATCH',
    `the two results differ in ${parts.join(', ')}: their numbers cannot be compared`,
  );
}

function show(value: Protocol[keyof Protocol]): string {
  if (value === undefined) return 'none';
  if (typeof value === 'string' && value.length > 16) return `${value.slice(0, 12)}…`;
  return Array.isArray(value) ? value.join('+') : String(value);
}

export interface ProtocolOptions {
  readonly part: Part;
  readonly filterSeen: boolean;
  readonly candidates: 'train' | 'all';
  readonly catalogue: number;
  readonly ks: readonly number[];
  readonly users: number;
  readonly impressions?: number;
  readonly querySet: string;
  readonly targetBehaviours?: readonly string[];
  readonly unseenTargets?: true;
  readonly sampledNegatives?: number;
}

export function protocolOf(dataset: Dataset, options: ProtocolOptions): Protocol {
  const { manifest } = dataset;
  return {
    dataset: manifest.fingerprint,
    testSetHash: manifest.testSetHash,
    part: options.part,
    split: manifest.split.kind,
    order: manifest.split.order,
    filterSeen: options.filterSeen,
    candidates: options.candidates,
    catalogue: options.catalogue,
    tieRule: 'half',
    ks: [...options.ks],
    users: options.users,
    ...(options.impressions === undefined ? {} : { impressions: options.impressions }),
    querySet: options.querySet,
    ...(options.targetBehaviours?.length ? { targetBehaviours: [...options.targetBehaviours].sort() } : {}),
    ...(options.unseenTargets ? { unseenTargets: true } : {}),
    ...(options.sampledNegatives === undefined ? {} : { sampledNegatives: options.sampledNegatives }),
  };
}
