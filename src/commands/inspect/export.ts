import { join } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { EXPORT_FORMAT, exportManifestSchema } from '../../export/directory.js';
import type { StageContext } from '../../types.js';
import { type Explanation, short, verified } from './explanation.js';

/**
 * What an exported model is, of which checkpoint, and how near to it.
 * @throws DATA_UNREADABLE where its manifest is damaged or newer, CHECKPOINT_DAMAGED where a file is
 */
export async function explainExport(
  dir: string,
  value: Record<string, unknown>,
  context: StageContext,
): Promise<Explanation> {
  const parsed = exportManifestSchema.safeParse(value);
  if (!parsed.success || parsed.data.formatVersion > EXPORT_FORMAT)
    throw new RecsysError(
      'DATA_UNREADABLE',
      `${join(dir, 'manifest.json')} is no export's manifest that this recsys can read${parsed.success ? '' : `: ${z.prettifyError(parsed.error)}`}`,
      { remedy: 'Run `recsys export` again, or use a newer recsys.' },
    );
  const manifest = parsed.data;
  const files = await verified(dir, manifest.files, 'CHECKPOINT_DAMAGED', context);
  const { model, parity, lineage, versions } = manifest;
  return {
    kind: 'export',
    summary: `Export of model ${model.name} as ${manifest.format}`,
    sections: [
      {
        title: 'Lineage',
        body: lineage.map((one) => [one.stage, `${one.path} (${short(one.manifestSha256)})`] as const),
      },
      {
        title: `Differences from the checkpoint, of ${parity.requests} requests in ${parity.runtime}`,
        body: Object.entries(parity.differences).map(([name, d]) => [name, d.toPrecision(3)] as const),
      },
      {
        title: 'Origin',
        body: [
          ['written', manifest.createdAt],
          ['recsys', versions.recsys ?? 'unknown'],
        ],
      },
      files,
    ],
    facts: { manifest, verified: true },
  };
}
