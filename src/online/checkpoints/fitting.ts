import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { RecsysError } from '../../errors.js';
import type { Checkpoint } from '../../storage/checkpoint.js';
import { systemCode } from '../../storage/disk.js';
import type { Catalogue } from '../../types.js';

/**
 * Where a checkpoint really is, that must lie in a folder: links are followed first.
 * @param path from that folder, or absolute
 * @throws RecsysError USAGE where it lies elsewhere · FILE_MISSING
 */
export async function pathIn(directory: string, path: string): Promise<string> {
  const [root, found] = await Promise.all([real(directory), real(resolve(directory, path))]);
  const from = relative(root, found);
  if (from === '' || from === '..' || from.startsWith(`..${sep}`) || isAbsolute(from))
    throw new RecsysError('USAGE', `${path} is not in the folder of checkpoints`, {
      remedy: 'Put the checkpoint into the folder that `checkpoints.directory` names.',
    });
  return found;
}

/** What a system says of a path that leads nowhere. */
const NOWHERE = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE'];

async function real(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (NOWHERE.includes(systemCode(error)))
      throw new RecsysError('FILE_MISSING', `${path}: no such directory`, { cause: error });
    throw error;
  }
}

/**
 * Whether events that are sent to a service could be learned with another checkpoint.
 * @throws RecsysError CHECKPOINT_INCOMPATIBLE
 */
export function checkFits(
  { path, catalogue }: Pick<Checkpoint, 'path' | 'catalogue'>,
  served: Pick<Catalogue, 'items' | 'behaviours'>,
): void {
  const lacking = served.behaviours.filter((name) => !catalogue.behaviours.includes(name));
  if (lacking.length > 0)
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `${path} does not know the behaviours ${lacking.join(', ')}, which are served`,
      {
        remedy: 'Train on a dataset that has them.',
      },
    );
  const known = new Set(catalogue.items.slice(1));
  if (!served.items.some((item) => known.has(item)))
    throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `${path} knows none of the items that are served`, {
      remedy: 'Train on a dataset with the same ids of items.',
    });
}
