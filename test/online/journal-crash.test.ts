import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Durability } from '../../src/online/journal/options.js';
import { Journal } from '../../src/online/journal.js';
import { Random } from '../../src/random.js';
import { FaultyFiles } from './faulty-files.js';

const DIRECTORY = '/state/journal';

/** What is done to a journal between two power cuts. */
type Operation =
  | { readonly do: 'append'; readonly sizes: readonly number[] }
  | { readonly do: 'flush' | 'prune' | 'reopen' | 'full' | 'free' | 'failing sync' };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      // Several appends at the same time, each of some records.
      sizes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('flush', 'prune', 'reopen', 'full', 'free', 'failing sync'),
    }),
  },
);

const round = fc.record({
  operations: fc.array(operation, { maxLength: 20 }),
  cutAfter: fc.integer({ min: 1, max: 120 }),
  seed: fc.nat(),
});

/** Runs rounds of operations, each ended by a power cut, and checks after each what the journal holds. */
class Trial {
  private files = new FaultyFiles();
  private journal!: Journal;
  private count = 0;
  /** Record by number, acknowledged in a way that a power cut must not undo. */
  private safe = new Map<number, string>();
  private acknowledged = new Map<number, string>();
  private pruned = 0;

  constructor(private readonly durability: Durability) {}

  async round({ operations, cutAfter, seed }: { operations: Operation[]; cutAfter: number; seed: number }) {
    this.files.cutAfter = cutAfter;
    try {
      await this.open();
      for (const one of operations) await this.perform(one);
    } catch (error) {
      if (!this.files.isCut) throw error;
    }
    await this.journal?.close().catch(() => undefined);
    this.files = this.files.powerCut(new Random(seed));
    await this.open();
    await this.check();
    await this.journal.close();
  }

  private async open(): Promise<void> {
    const { files, durability } = this;
    const options = { segmentBytes: 300, durability, syncInterval: 5, files, now: () => files.now };
    this.journal = await Journal.open(DIRECTORY, options);
  }

  private async perform(operation: Operation): Promise<void> {
    const { files, journal } = this;
    if (operation.do === 'append') await Promise.all(operation.sizes.map((size) => this.append(size)));
    else if (operation.do === 'full') files.room = 100;
    else if (operation.do === 'free') files.room = Number.POSITIVE_INFINITY;
    else if (operation.do === 'failing sync') files.failingSyncs = 1;
    else if (operation.do === 'prune') {
      await journal.flush().catch(() => undefined);
      const through = Math.max(0, ...this.safe.keys());
      this.pruned = Math.max(this.pruned, through);
      await journal.prune(through, { segments: 1 });
    } else {
      if (operation.do === 'flush') await journal.flush().catch(() => undefined);
      else {
        await journal.close();
        files.room = Number.POSITIVE_INFINITY;
        files.failingSyncs = 0;
        await this.open();
      }
      if (journal.writable && !files.isCut) this.safe = new Map(this.acknowledged);
    }
  }

  private async append(size: number): Promise<void> {
    const records = Array.from({ length: size }, () => `record ${++this.count}`);
    try {
      const first = await this.journal.append(records);
      records.forEach((record, i) => {
        this.acknowledged.set(first + i, record);
        if (this.durability === 'always') this.safe.set(first + i, record);
      });
    } catch (error) {
      assert.equal((error as { code: string }).code, 'DISK');
    }
  }

  private async check(): Promise<void> {
    const found = new Map<number, string>();
    for await (const { seq, record } of this.journal.read()) found.set(seq, record as string);
    const { firstSeq, lastSeq } = this.journal;
    assert.deepEqual(
      [...found.keys()],
      Array.from({ length: lastSeq - firstSeq + 1 }, (_, i) => firstSeq + i),
    );
    assert(firstSeq <= this.pruned + 1, 'nothing is lost before what a snapshot covers');
    assert.equal(new Set(found.values()).size, found.size, 'no record is there twice');
    for (const [seq, record] of this.safe) if (seq >= firstSeq) assert.equal(found.get(seq), record);
    for (const [seq, record] of found) {
      const known = this.acknowledged.get(seq);
      if (known !== undefined) assert.equal(record, known);
    }
    this.acknowledged = found;
    this.safe = new Map(found);
  }
}

for (const durability of ['always', 'interval', 'none'] as const) {
  const promise = durability === 'always' ? 'acknowledged' : 'acknowledged before the last sync';
  test(`${durability}: after any operations and power cuts, what was ${promise} is there exactly once, and the journal goes on`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
        const trial = new Trial(durability);
        for (const one of rounds) await trial.round(one);
      }),
      { numRuns: 100, includeErrorInReport: true },
    );
  });
}

test('the disk of these tests loses what was not synced, and keeps what was', async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    const files = new FaultyFiles();
    const file = await files.open('/d/a');
    await file.write(Buffer.from('a'.repeat(32)), 0);
    await file.sync();
    await files.syncDirectory();
    await file.write(Buffer.from('b'.repeat(32)), 16);
    await files.open('/d/b');
    const after = files.powerCut(new Random(seed));
    const left = (await after.read('/d/a')).toString();
    assert.equal(left.slice(0, 16), 'a'.repeat(16));
    seen.add(`${left} ${(await after.list('/d')).length}`);
  }
  // The second sector old or new, the third absent, zeros or new; the second name there or not.
  assert(seen.size >= 8, [...seen].join('\n'));
});
