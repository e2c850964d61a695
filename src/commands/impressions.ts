import { join } from 'node:path';
import { z } from 'zod';
import { path } from '../config/fields.js';
import { RecsysError } from '../errors.js';
import { type Outcome, outcomesByRequest } from '../online/impressions/outcomes.js';
import { type Impression, loggedRecord } from '../online/impressions/record.js';
import { journalRecords } from '../online/journal/check.js';
import { impressionsPath } from '../online/state-directory.js';
import { kindOf } from '../storage/disk.js';
import { type Columns, refuseExisting, writeRows } from './list-files.js';
import { defineStage } from './stage.js';

const schema = z.strictObject({ state: path('state directory of `recsys serve-online`') });

/** `recsys impressions <state>` */
export default defineStage({
  name: 'impressions',
  describe: 'export the lists that a service served, with what came of them',
  schema,
  flags: {},
  positionals: [
    { name: 'state', key: 'state', describe: 'state directory of `recsys serve-online`', required: true },
  ],
  defaultOut: 'impressions.jsonl',
  async run({ config, flags }) {
    const start = performance.now();
    const { state } = config;
    const directory = impressionsPath(state);
    if ((await kindOf(directory)) !== 'directory')
      throw new RecsysError('FILE_MISSING', `there is no log of impressions in ${state}`, {
        remedy: 'Serve with `exploration.log: true`.',
      });
    const out = flags.out!;
    await refuseExisting(out, flags.force);
    const outcomes = await outcomesByRequest(join(state, 'journal'));
    let events = 0;
    const rows = async function* (): AsyncGenerator<ImpressionRow> {
      for await (const { seq, record } of journalRecords(directory)) {
        const list = parsed(seq, record);
        if (list === undefined) continue;
        const { type: _, ...impression } = list;
        const own = outcomes.get(impression.requestId) ?? [];
        events += own.length;
        yield { ...impression, events: own };
      }
    };
    const impressions = await writeRows(out, rows(), COLUMNS, 'jsonl', flags.force);
    return { path: out, metrics: { impressions, events }, seconds: (performance.now() - start) / 1000 };
  },
});

type ImpressionRow = Omit<Impression, 'type'> & { readonly events: readonly Outcome[] };

const COLUMNS: Columns<Required<ImpressionRow>> = {
  requestId: 'VARCHAR',
  time: 'BIGINT',
  user: 'VARCHAR',
  modelVersion: 'VARCHAR',
  policy: 'VARCHAR',
  items: 'JSON',
  pool: 'JSON',
  history: 'JSON',
  adapter: 'VARCHAR',
  behaviour: 'VARCHAR',
  fallbackReason: 'VARCHAR',
  variant: 'JSON',
  reranked: 'BOOLEAN',
  events: 'JSON',
};

/** A list; undefined for what stands for one that was erased, or lost before a repair. */
function parsed(seq: number, record: unknown): Impression | undefined {
  const found = loggedRecord.safeParse(record);
  if (found.success) return found.data.type === 'impression' ? found.data : undefined;
  throw new RecsysError('JOURNAL_DAMAGED', `record ${seq} of the impressions is not one this version knows`, {
    remedy: 'Export with the recsys version that wrote them.',
  });
}
