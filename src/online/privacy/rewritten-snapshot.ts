import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withOutputDirectory } from '../../storage/atomic.js';
import { type CheckpointManifest, sealCheckpoint } from '../../storage/checkpoint.js';

/**
 * Writes a snapshot anew in place with other contents of some files: at any moment the old or the new one is whole.
 * @param files by path inside the directory
 */
export async function rewriteSnapshot(
  path: string,
  files: ReadonlyMap<string, string | Uint8Array>,
): Promise<void> {
  await withOutputDirectory(path, { force: true, resume: false }, async (into) => {
    await cp(path, into, { recursive: true });
    for (const [name, bytes] of files) await writeFile(join(into, name), bytes);
    const file = join(into, 'manifest.json');
    const manifest = JSON.parse(await readFile(file, 'utf8')) as CheckpointManifest;
    // What the manifest does not list is recorded anew.
    const kept = Object.entries(manifest.files).filter(([name]) => !files.has(name));
    await writeFile(file, JSON.stringify({ ...manifest, files: Object.fromEntries(kept) }));
    await sealCheckpoint(into);
  });
}
