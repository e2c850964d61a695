import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File } from '../storage/hash.js';
import type { StageContext } from '../types.js';
import { type Attribute, ingestAttributes, type Side } from './attributes.js';
import { clean } from './cleaning.js';
import { writeEntities, writeFeatures } from './entities.js';
import { hashContents } from './fingerprint.js';
import { reportImpressions, settleImpressions, writeImpressions } from './impressions.js';
import { type Ingested, ingestInteractions } from './ingest.js';
import { DATASET_FORMAT, type DatasetManifest } from './manifest.js';
import { FILES } from './paths.js';
import { readExtended } from './read-catalogue.js';
import { Rejects } from './rejects.js';
import type { PrepareConfig } from './schema.js';
import { divide } from './splits/index.js';
import { literal, Staging } from './staging.js';
import { number, writeVocabulary } from './vocabulary.js';

/**
 * Raw files → a dataset directory. `outDir` exists and is empty; everything is sorted and joined in an on-disk database
 * inside it, so that memory stays bounded, and which is gone at the end.
 *
 * Errors: CONFIG_INVALID, FILE_MISSING, COLUMN_MISSING, TOO_MANY_REJECTED, DATA_EMPTY, DATA_UNREADABLE, SPLIT_IMPOSSIBLE,
 * DATASET_DAMAGED (of `extend`), ENVIRONMENT (memory), INTERRUPTED.
 */
export async function prepare(
  config: PrepareConfig,
  outDir: string,
  context: StageContext,
): Promise<DatasetManifest> {
  const base = config.raw ?? process.cwd();
  const old = config.extend === undefined ? undefined : await readExtended(config.extend);
  await mkdir(join(outDir, 'vocabulary'), { recursive: true });
  const rejects = new Rejects(join(outDir, FILES.rejected), config.rejectLimit);
  const staging = await Staging.open(outDir, config.memoryLimit, context.signal);
  let step = 0;
  const task = (name: string) => context.progress({ task: name, done: step++, total: 7 });
  try {
    const ingested = await ingestInteractions(config, base, staging, rejects, context, old?.behaviours);
    const itemAttributes = await ingestAttributes('items', config, base, staging, rejects, context);
    const userAttributes = await ingestAttributes('users', config, base, staging, rejects, context);
    await rejects.close();

    task('cleaning');
    const funnel = await clean(config, ingested, staging);
    const [ties] = await staging.numbers(
      `SELECT count(*) FROM (SELECT 1 FROM (SELECT u, "time", ord, max(("time", ord)) OVER (PARTITION BY u) AS last FROM rows)
       WHERE ("time", ord) = last GROUP BY u HAVING count(*) > 1)`,
    );
    task('splitting');
    const guarded = await divide({ config: config.split, staging, time: ingested.time, seed: config.seed });

    const impressions =
      ingested.impressions === undefined ? undefined : await settleImpressions(ingested.impressions, staging);

    task('numbering users and items');
    const userCount = await number('users', staging, old?.users ?? []);
    const itemCount = await number('items', staging, old?.items ?? [], {
      unseen: config.unseenItems,
      shown: impressions !== undefined,
    });
    task('sorting');
    await staging.run(
      `CREATE TABLE final AS SELECT u.idx AS user_index, i.idx AS item_index, ${timeColumn(ingested)} AS "time", behaviour, value, split, seq
       FROM rows JOIN users u ON u.k = rows.u JOIN items i ON i.k = rows.i ORDER BY u.idx, rows."time", ord, seq`,
    );
    task('fitting features');
    const cold = config.split.kind === 'cold';
    const former = (side: Side) => old && { dir: old.dir, former: old.features[side] };
    const items = await writeEntities(
      'items',
      itemAttributes,
      itemCount,
      staging,
      outDir,
      former('items'),
      cold,
    );
    const users = await writeEntities(
      'users',
      userAttributes,
      userCount,
      staging,
      outDir,
      former('users'),
      cold,
    );
    await writeFeatures(outDir, items, users);
    await writeVocabulary(
      join(outDir, FILES.behaviours),
      ingested.behaviours.map((b) => b.name),
    );
    task('writing interactions');
    await writeInteractions(staging, ingested, outDir);
    if (impressions) await writeImpressions(staging, ingested.time, outDir);
    task('hashing');
    const hashes = await hashContents(staging, users, items, ingested.behaviours, impressions !== undefined);
    const [interactions, train, validation, test] = await staging.numbers(
      'SELECT count(*), count(*) FILTER (WHERE split = 0), count(*) FILTER (WHERE split = 1), count(*) FILTER (WHERE split = 2) FROM final',
    );
    await staging.close();
    const { kind, order, catalogue, ...parameters } = config.split;
    const manifest: DatasetManifest = {
      kind: 'dataset',
      formatVersion: DATASET_FORMAT,
      createdWith: await version(),
      name: config.name,
      counts: {
        users: userCount,
        items: itemCount,
        interactions: interactions!,
        train: train!,
        validation: validation!,
        test: test!,
        rejected: rejects.total,
      },
      funnel,
      droppedUnknownItems: guarded.droppedUnknownItems,
      ...(impressions ? { impressions } : {}),
      behaviours: [...ingested.behaviours],
      split: { kind, order, catalogue, seed: config.seed, parameters },
      time: ingested.time,
      ties: { usersTiedAtLast: ingested.time === 'none' ? 0 : ties! },
      columns: config.interactions.columns,
      attributes: { items: typesOf(itemAttributes), users: typesOf(userAttributes) },
      ...(old ? { extends: old.fingerprint } : {}),
      ...hashes,
      files: await filesOf(outDir, impressions !== undefined),
    };
    await writeFile(join(outDir, FILES.manifest), `${JSON.stringify(manifest, null, 2)}\n`);
    report(manifest, rejects, context);
    return manifest;
  } catch (error) {
    throw staging.explain(error);
  } finally {
    await rejects.close().catch(() => undefined);
    await staging.close();
  }
}

/** Times are whole milliseconds; without times, the order given or the place in the source. */
function timeColumn({ time }: Ingested): string {
  if (time === 'epoch') return 'CAST(rows."time" AS BIGINT)';
  return time === 'order' ? 'ord' : 'CAST(seq AS DOUBLE)';
}

async function writeInteractions(
  staging: Staging,
  { time, behaviours }: Ingested,
  outDir: string,
): Promise<void> {
  const names = `[${behaviours.map((b) => literal(b.name)).join(', ')}]`;
  const readable = time === 'epoch' ? 'make_timestamp_ms(f."time")' : 'f."time"';
  await staging.run(
    `COPY (SELECT u.id AS "user", i.id AS item, f.user_index, f.item_index, ${readable} AS "time",
       ${names}[f.behaviour + 1] AS behaviour, f.behaviour AS behaviour_index, f.value, f.split
     FROM final f JOIN users u ON u.idx = f.user_index JOIN items i ON i.idx = f.item_index ORDER BY f.rowid)
     TO ${literal(join(outDir, FILES.interactions))} (FORMAT parquet, COMPRESSION zstd)`,
  );
}

const typesOf = (attributes: readonly Attribute[]) =>
  Object.fromEntries(
    attributes.map((a) => [a.name, a.buckets === undefined ? a.type : `${a.type} in ${a.buckets} buckets`]),
  );

async function filesOf(dir: string, impressions: boolean): Promise<DatasetManifest['files']> {
  const names = [
    FILES.interactions,
    ...(impressions ? [FILES.impressions] : []),
    FILES.rejected,
    FILES.features,
    FILES.scalings,
    FILES.behaviours,
    ...Object.values(FILES.entities),
    ...Object.values(FILES.ids),
    ...Object.values(FILES.tokens),
  ];
  const files: DatasetManifest['files'] = {};
  for (const name of names) {
    const path = join(dir, name);
    files[name] = { bytes: (await stat(path)).size, sha256: await sha256File(path) };
  }
  return files;
}

async function version(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return `recsys ${version}`;
}

function report(manifest: DatasetManifest, rejects: Rejects, context: StageContext): void {
  const { counts, ties, droppedUnknownItems, impressions } = manifest;
  context.log(
    'info',
    `${counts.interactions} interactions of ${counts.users} users with ${counts.items} items`,
    counts,
  );
  if (counts.rejected > 0)
    context.log(
      'warn',
      `${counts.rejected} rows were rejected, most often: ${rejects.commonest()}; see ${FILES.rejected}`,
    );
  if (droppedUnknownItems > 0)
    context.log(
      'warn',
      `${droppedUnknownItems} held-out rows were dropped: their items have no training row (catalogue: train)`,
    );
  if (impressions) reportImpressions(impressions, context);
  if (ties.usersTiedAtLast > 0)
    context.log(
      'info',
      `${ties.usersTiedAtLast} users’ last rows carry the same time; they keep the order of the source`,
    );
  if (counts.users === 1)
    context.log(
      'warn',
      'there is one user only: nothing can be learnt from others, and metrics rest on one list',
    );
}
