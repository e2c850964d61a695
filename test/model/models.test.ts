import { type ModelName, modelSchema } from '../../src/model/registry.js';
import { onEachBackend } from '../suites/backends.js';
import { type ModelCase, modelContract } from '../suites/model.js';

const small = { width: 8, length: 5 };

/** Transformers that have every part there is in one of them. */
const PARTS: readonly ModelCase[] = [
  { attention: 'gated', relativePosition: true, norm: 'rms', feedForwardKind: 'none', heads: 2, depth: 2 },
  {
    attention: 'gated',
    feedForwardKind: 'gelu',
    heads: 1,

    similarity: 'cosine',
    temperature: 0.4,
  },
  { relativePosition: true, residual: 'gated', feedForwardKind: 'swiglu', heads: 2, tied: false },
  { similarity: 'cosine', temperature: 0.4, outputBias: true, norm: 'rms', heads: 1, tied: false },
  { relativeTime: true, heads: 2, depth: 2 },
  { attention: 'gated', relativeTime: true, relativePosition: true, heads: 2 },
  { direction: 'both', heads: 2, depth: 2, sharedBlocks: true },
  { direction: 'both', attention: 'gated', relativePosition: true, heads: 2 },
  { values: true, center: 3, heads: 2 },
  { bottleneck: 3, heads: 2, depth: 2, sharedBlocks: true },
  { shortTerm: 2, heads: 2, outputBias: true },
  { shortTerm: 2, heads: 2, depth: 2, relativePosition: true, values: true, center: 3, behaviourHeads: true },
  { shortTerm: 2, attention: 'gated', relativeTime: true, heads: 2 },
  { behaviourHeads: true, heads: 2, similarity: 'cosine', temperature: 0.4 },
  { behaviourHeads: true, direction: 'both', heads: 2 },
  { behaviourHeads: { experts: 2, expertWidth: 3 }, heads: 2 },
].map((parts) => ({
  label: `transformer of ${JSON.stringify(parts)}`,
  config: modelSchema.parse({ depth: 1, ...small, ...parts, name: 'transformer', dropout: 0 }),
  readsHistory: true,
  readsUser: false,
  // A hidden item teaches less than one after each event.
  steps: 'direction' in parts ? 140 : 80,
}));

/** Every model of the registry, in each of its ways to see a user. */
const CASES = {
  transformer: [
    {
      label: 'transformer',
      config: modelSchema.parse({
        ...small,
        name: 'transformer',
        depth: 2,
        heads: 2,
        feedForward: 1,
        dropout: 0,
        userAttributes: true,
      }),
      readsHistory: true,
      readsUser: true,
    },
    {
      label: 'transformer of items alone',
      config: modelSchema.parse({
        ...small,
        name: 'transformer',
        depth: 1,
        heads: 1,
        dropout: 0,
        itemAttributes: false,
        behaviours: false,
      }),
      readsHistory: true,
      readsUser: false,
    },
    ...PARTS,
  ],
  gru: [
    { depth: 2, userAttributes: true },
    { hidden: 6, depth: 2 },
    { itemAttributes: false, behaviours: false, tied: false },
    { behaviourHeads: true, hidden: 6 },
    { behaviourHeads: { experts: 1, expertWidth: 4 }, hidden: 6 },
    { shortTerm: 1, hidden: 6, userAttributes: true },
  ].map((parts) => ({
    label: `gru of ${JSON.stringify(parts)}`,
    config: modelSchema.parse({ ...small, ...parts, name: 'gru', dropout: 0 }),
    readsHistory: true,
    readsUser: parts.userAttributes ?? false,
    steps: 80,
  })),
  'two-tower': [
    {},
    { similarity: 'dot', hidden: [12, 6], outputBias: true, userAttributes: false },
    { temperature: 0.4, itemAttributes: false },
  ].map((parts) => ({
    label: `two-tower of ${JSON.stringify(parts)}`,
    config: modelSchema.parse({ ...small, hidden: [10], ...parts, name: 'two-tower', dropout: 0 }),
    readsHistory: true,
    readsUser: parts.userAttributes ?? true,
    steps: 80,
  })),
  mlp: [
    ...(['id', 'history', 'both', 'attributes'] as const).map((user) => ({
      label: `mlp of user ${user}`,
      config: modelSchema.parse({ ...small, name: 'mlp', hidden: [12, 8], user }),
      readsHistory: user === 'history' || user === 'both',
      readsUser: true,
      // Attributes alone do not tell the checkerboard's users apart.
      ...(user === 'attributes' ? { learns: false as const } : {}),
    })),
    {
      label: 'mlp that reads values',
      config: modelSchema.parse({
        ...small,
        ...{ name: 'mlp', hidden: [12, 8], user: 'history', values: true, center: 2 },
      }),
      readsHistory: true,
      readsUser: true,
      steps: 80,
    },
  ],
  'fast-weights': [
    {},
    { adapts: 'bias', order: 'first', center: 3 },
    { adapts: 'head', rates: 'learned', itemIds: false, userAttributes: false },
    { feedback: 'events', references: 5 },
  ].map((parts) => ({
    label: `fast-weights of ${JSON.stringify(parts)}`,
    config: modelSchema.parse({
      ...small,
      ...{ name: 'fast-weights', hidden: [9, 6], steps: 2, rate: 0.1, idDropout: 0 },
      ...parts,
    }),
    readsHistory: true,
    readsUser: !('userAttributes' in parts),
    approximate: 'order' in parts,
    // It adapts to values, of which the checkerboard has none.
    learns: false as const,
  })),
  'fold-in': [
    {},
    { hidden: [7], userAttributes: false, center: 3 },
    { feedback: 'events' },
    { feedback: 'events', itemAttributes: false, hidden: [7] },
  ].map((parts) => ({
    label: `fold-in of ${JSON.stringify(parts)}`,
    config: modelSchema.parse({ ...small, name: 'fold-in', idDropout: 0, ...parts }),
    readsHistory: true,
    readsUser: !('userAttributes' in parts),
    ...('feedback' in parts ? { steps: 160 } : { learns: false as const }),
  })),
  linear: [
    {
      label: 'linear',
      config: modelSchema.parse({ ...small, name: 'linear' }),
      readsHistory: true,
      readsUser: true,
    },
  ],
  'sparse-linear': [
    // With places that stay empty, and with fewer neighbours than items, which steps do not choose.
    {
      label: 'sparse-linear',
      config: modelSchema.parse({ name: 'sparse-linear', length: 5, neighbours: 13 }),
      readsHistory: true,
      readsUser: true,
    },
    {
      label: 'sparse-linear of 4 neighbours',
      config: modelSchema.parse({ name: 'sparse-linear', length: 5, neighbours: 4, userAttributes: false }),
      readsHistory: true,
      readsUser: false,
      learns: false,
    },
  ],
} satisfies Record<ModelName, readonly ModelCase[]>;

onEachBackend('model contract', (backend) => {
  for (const cases of Object.values(CASES)) for (const one of cases) modelContract(backend, one);
});
