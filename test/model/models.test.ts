import { type ModelName, modelSchema } from '../../src/model/registry.js';
import { onEachBackend } from '../suites/backends.js';
import { type ModelCase, modelContract } from '../suites/model.js';

const small = { width: 8, length: 5 };

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
  ],
  mlp: (['id', 'history', 'both'] as const).map((user) => ({
    label: `mlp of user ${user}`,
    config: modelSchema.parse({ ...small, name: 'mlp', hidden: [12, 8], user }),
    readsHistory: user !== 'id',
    readsUser: true,
  })),
  linear: [
    {
      label: 'linear',
      config: modelSchema.parse({ ...small, name: 'linear' }),
      readsHistory: true,
      readsUser: true,
    },
  ],
} satisfies Record<ModelName, readonly ModelCase[]>;

onEachBackend('model contract', (backend) => {
  for (const cases of Object.values(CASES)) for (const one of cases) modelContract(backend, one);
});
