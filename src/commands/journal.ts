import { basename, join } from 'node:path';
import { z } from 'zod';
import { path } from '../config/fields.js';
import { RecsysError } from '../errors.js';
import type { OnlineEvent } from '../online/events.js';
import { checkJournal, type JournalReport, journalRecords } from '../online/journal/check.js';
import { repairJournal } from '../online/journal/repair.js';
import { parseRecord } from '../online/records.js';
import { impressionsPath, journalPath } from '../online/state-directory.js';
import { kindOf } from '../storage/disk.js';
import { acquireLock } from '../storage/lock.js';
import { type Columns, refuseExisting, writeRows } from './list-files.js';
import { defineStage, type StageResult, type StageRun } from './stage.js';
import { textTable } from './table.js';

const schema = z.strictObject({
  action: z.enum(['check', 'repair', 'export']).describe('what to do'),
  state: path('state directory of `recsys serve-online`'),
  setAside: z
    .boolean()
    .default(false)
    .describe('repair: keep damaged segments aside and go on with every whole record of theirs'),
  impressions: z
    .boolean()
    .default(false)
    .describe('check, repair: the log of lists that were served, in place of the events'),
});
type Run = StageRun<z.output<typeof schema>>;

/** `recsys journal check|repair|export <state>` */
export default defineStage({
  name: 'journal',
  describe: 'check, repair or export the event journal of a service',
  schema,
  flags: {
    'set-aside': {
      key: 'setAside',
      describe: 'repair: keep damaged segments aside and go on with every whole record of theirs',
      type: 'boolean',
    },
    impressions: {
      key: 'impressions',
      describe: 'check, repair: the log of lists that were served, in place of the events',
      type: 'boolean',
    },
  },
  positionals: [
    {
      name: 'action',
      key: 'action',
      describe:
        'check: say what is there and what is damaged; repair: make it one that can be served; export: write the events as JSON lines',
      required: true,
      choices: ['check', 'repair', 'export'],
    },
    { name: 'state', key: 'state', describe: 'state directory of `recsys serve-online`', required: true },
  ],
  defaultOut: 'events.jsonl',
  async run(run) {
    const start = performance.now();
    const { state, action, impressions } = run.config;
    if (impressions && action === 'export')
      throw new RecsysError('USAGE', 'lists that were served are exported by `recsys impressions <state>`');
    const directory = impressions ? impressionsPath(state) : journalPath(state);
    if ((await kindOf(directory)) !== 'directory')
      throw new RecsysError('FILE_MISSING', `there is no ${basename(directory)} in ${state}`, {
        remedy: impressions
          ? 'Serve with `exploration.log: true`.'
          : 'Give the state directory of `recsys serve-online`.',
      });
    const result = await ACTIONS[action](directory, run);
    return { ...result, seconds: (performance.now() - start) / 1000 };
  },
});

const ACTIONS = { check, repair, export: exported } satisfies Record<
  Run['config']['action'],
  (directory: string, run: Run) => Promise<Omit<StageResult, 'seconds'>>
>;

async function check(directory: string, { config: { impressions } }: Run) {
  const report = await checkJournal(directory);
  const text = explained(report);
  if (report.damage.length === 0) return { path: directory, ...report, text };
  const places = report.damage.length === 1 ? 'one place' : `${report.damage.length} places`;
  throw new RecsysError('JOURNAL_DAMAGED', `${directory} is damaged in ${places}\n${text}`, {
    remedy: `Restore the state directory from a copy, or run \`recsys journal repair <state> --set-aside${impressions ? ' --impressions' : ''}\`: it keeps every whole record.`,
  });
}

function explained({ segments, records, firstSeq, lastSeq, damage, unfinished }: JournalReport): string {
  const rows = segments.map(({ file, firstSeq: from, lastSeq: to, records: n, bytes, damage: d }) => [
    basename(file),
    n === 0 ? '–' : `${from}–${to}`,
    String(n),
    String(bytes),
    d ? 'damaged' : 'whole',
  ]);
  const lines = [textTable(['segment', 'numbers', 'records', 'bytes', 'state'], rows)];
  lines.push('', records === 0 ? 'no records' : `${records} records, ${firstSeq} to ${lastSeq}`);
  if (unfinished) {
    const whole = unfinished.records > 0 ? `, ${unfinished.records} whole records in them` : '';
    lines.push(
      `unfinished write: ${unfinished.bytes} bytes at offset ${unfinished.offset} of ${basename(unfinished.file)}${whole}; the next start cuts them off`,
    );
  }
  for (const { file, offset, what } of damage) lines.push(`${basename(file)}: at offset ${offset} ${what}`);
  return lines.join('\n');
}

async function repair(directory: string, { config }: Run) {
  const lock = await acquireLock(join(config.state, 'lock'), config.state);
  try {
    const { cut, rewritten } = await repairJournal(directory, config.setAside);
    const lines = rewritten.map(
      ({ file, aside, kept, lost }) =>
        `${basename(file)}: ${kept} records kept, ${lost} lost; as it was: ${basename(aside)}`,
    );
    if (cut)
      lines.push(
        `${basename(cut.file)}: cut ${cut.bytes} bytes at offset ${cut.offset}; kept in ${basename(cut.file)}.cut-${cut.offset}`,
      );
    const text = lines.length === 0 ? 'nothing to repair' : lines.join('\n');
    return { path: directory, cut, rewritten, text };
  } finally {
    await lock.release();
  }
}

/** An event as `recsys prepare` reads it from JSON lines, and what became of it. */
interface EventRow extends OnlineEvent {
  readonly seq: number;
  /** Absent where the journal does not say yet. */
  readonly disposition?: 'learned' | 'skipped';
  /** Why it was skipped. */
  readonly reason?: string;
}

const EVENT_COLUMNS: Columns<Required<EventRow>> = {
  seq: 'BIGINT',
  id: 'VARCHAR',
  user: 'VARCHAR',
  item: 'VARCHAR',
  behaviour: 'VARCHAR',
  time: 'BIGINT',
  value: 'DOUBLE',
  requestId: 'VARCHAR',
  shown: 'JSON',
  context: 'JSON',
  disposition: 'VARCHAR',
  reason: 'VARCHAR',
};

async function exported(directory: string, { flags }: Run) {
  const out = flags.out!;
  await refuseExisting(out, flags.force);
  const events = await writeRows(out, eventRows(directory), EVENT_COLUMNS, 'jsonl', flags.force);
  return { path: out, metrics: { events } };
}

/** Events in order, each once the journal has said what became of it, or has ended. */
async function* eventRows(directory: string): AsyncGenerator<EventRow> {
  const waiting: EventRow[] = [];
  for await (const { seq, record: raw } of journalRecords(directory)) {
    const record = parseRecord(seq, raw);
    if (record.type === 'event') {
      const { type: _, ...event } = record;
      waiting.push({ seq, ...event });
    }
    if (record.type !== 'outcome') continue;
    const reasons = new Map(
      Object.entries(record.skipped ?? {}).flatMap(([reason, seqs]) =>
        seqs.map((one) => [one, reason] as const),
      ),
    );
    const later = waiting.findIndex((event) => event.seq > record.through);
    for (const event of waiting.splice(0, later < 0 ? waiting.length : later)) {
      const reason = reasons.get(event.seq);
      yield reason === undefined
        ? { ...event, disposition: 'learned' }
        : { ...event, disposition: 'skipped', reason };
    }
  }
  yield* waiting;
}
