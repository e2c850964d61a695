import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { BACKENDS } from '../compute/backend.js';
import { selectBackend } from '../compute/select.js';
import { path, seed } from '../config/fields.js';
import { readDataset } from '../data/read.js';
import { readQuestions } from '../evaluation/elicitation/results.js';
import { budgetSchema } from '../model/adaptation/budget.js';
import { checkpointsSchema } from '../online/checkpoints/schema.js';
import { clicksSchema } from '../online/clicks/schema.js';
import { Experiment } from '../online/experiment/experiment.js';
import { experimentSchema } from '../online/experiment/schema.js';
import { explorationSchema } from '../online/exploration/schema.js';
import { guardSchema } from '../online/guard/schema.js';
import { alertsSchema, withoutSecrets } from '../online/guard/webhook.js';
import { listsSchema } from '../online/lists/schema.js';
import { privacySchema } from '../online/privacy/schema.js';
import { retrievalSchema } from '../online/retrieval/schema.js';
import { loadUsearch } from '../online/retrieval/usearch.js';
import {
  durabilitySchema,
  learningSchema,
  qualitySchema,
  requestSchema,
  retentionSchema,
  syncIntervalSchema,
} from '../online/schema.js';
import { maskingLog } from '../online/security/mask.js';
import { securitySchema } from '../online/security/schema.js';
import { openSecurity } from '../online/security/security.js';
import { serve } from '../online/serve.js';
import { DATA_PARTS } from '../online/warm.js';
import { readAdapter } from '../storage/adapter-files.js';
import { writeFileAtomic } from '../storage/atomic.js';
import { readCheckpoint } from '../storage/checkpoint.js';
import { serveReport } from './serve-view.js';
import { defineStage } from './stage.js';

const schema = z.strictObject({
  model: path('checkpoint to serve'),
  adapters: z
    .record(
      z.string().min(1).max(64),
      path('checkpoint fine-tuned with `adapter`, or the adapter folder in it'),
    )
    .default({})
    .describe('by name: adapters of `model`; a request may ask for one'),
  elicitation: path('directory that `recsys elicit` wrote: what new users are asked about').optional(),
  data: path('dataset whose histories are known from the start').optional(),
  dataPart: z
    .enum(DATA_PARTS)
    .default('test')
    .describe(
      'rows of `data` that are known: those up to this part of its split. `validation` where the test rows come as events',
    ),
  state: path('state directory: the event journal and the snapshot'),
  host: z.string().min(1).default('127.0.0.1').describe('address to listen on'),
  port: z.number().int().min(0).max(65535).default(8080).describe('port to listen on; 0 = any free one'),
  readyFile: path('file to write {url, pid} to once requests are answered').optional(),
  backend: z.enum(BACKENDS).optional().describe('tensor backend; absent: the best there is'),
  threads: z
    .number()
    .int()
    .min(1)
    .max(1024)
    .default(1)
    .describe(
      'threads of one tensor operation, where TF_NUM_INTRAOP_THREADS does not say; those of a few lists and events are done sooner by one than by several',
    ),
  seed,
  budget: budgetSchema,
  durability: durabilitySchema,
  syncInterval: syncIntervalSchema,
  learning: learningSchema,
  retention: retentionSchema,
  requests: requestSchema,
  quality: qualitySchema,
  lists: listsSchema,
  retrieval: retrievalSchema,
  exploration: explorationSchema,
  experiment: experimentSchema,
  clicks: clicksSchema,
  guard: guardSchema,
  alerts: alertsSchema,
  checkpoints: checkpointsSchema,
  security: securitySchema,
  privacy: privacySchema,
});

export default defineStage({
  name: 'serve-online',
  describe: 'serve recommendations over HTTP and learn from every event',
  schema,
  flags: {
    model: { key: 'model', describe: 'checkpoint to serve', type: 'string', stdin: true },
    data: { key: 'data', describe: 'dataset whose histories are known from the start', type: 'string' },
    'data-part': {
      key: 'dataPart',
      describe: 'rows of --data that are known: those up to this part of its split',
      type: 'string',
    },
    state: { key: 'state', describe: 'state directory: journal and snapshot', type: 'string' },
    host: { key: 'host', describe: 'address to listen on', type: 'string' },
    port: { key: 'port', describe: 'port to listen on; 0 = any free one', type: 'number' },
    keys: { key: 'security.keys', describe: 'key file: requests need one of its keys', type: 'string' },
    'ready-file': { key: 'readyFile', describe: 'file to write {url, pid} to when ready', type: 'string' },
    k: { key: 'requests.k', describe: 'items returned where a request does not say', type: 'number' },
  },
  async run({ config, flags, ...run }) {
    const start = performance.now();
    const context = { ...run, log: maskingLog(run.log, config.privacy.mask) };
    // What can be wrong with the inputs is found before the backend is loaded.
    const security = await openSecurity(config.security, context.log);
    if (config.retrieval.kind === 'usearch') await loadUsearch();
    const experiment = config.experiment && new Experiment(config.experiment, Object.keys(config.adapters));
    const checkpoint = await readCheckpoint(config.model);
    const adapters = new Map(
      await Promise.all(
        Object.entries(config.adapters).map(
          async ([name, path]) => [name, await readAdapter(path, checkpoint)] as const,
        ),
      ),
    );
    const questions = config.elicitation === undefined ? undefined : await readQuestions(config.elicitation);
    const data = config.data === undefined ? undefined : await readDataset(config.data);
    const shown = { ...config, alerts: withoutSecrets(config.alerts) };
    const backend = await selectBackend(config.backend, config.threads);
    const result = await serve(
      {
        ...config,
        security,
        experiment,
        pseudonymKey: config.privacy.pseudonyms?.keyFile,
        rebuildAfter:
          config.privacy.rebuildAfter === 'restart' ? undefined : config.privacy.rebuildAfter * 1000,
        checkpoint,
        adapters,
        questions,
        data,
        backend,
        config: shown,
        out: flags.out,
        force: flags.force,
        async ready(address) {
          if (config.readyFile === undefined) return;
          await writeFileAtomic(config.readyFile, `${JSON.stringify(address)}\n`);
        },
      },
      context,
    );
    const { path, metrics } = result;
    const { writeReport } = await import('../report/report.js');
    await writeReport(config.state, serveReport(result, shown));
    return { path, metrics, seconds: (performance.now() - start) / 1000 };
  },
});
