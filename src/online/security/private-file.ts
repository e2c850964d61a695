import { readFile, stat } from 'node:fs/promises';
import { RecsysError } from '../../errors.js';
import { systemCode } from '../../storage/disk.js';

/** Permissions that a file of keys may not give: anything to everybody, writing to its group. (Mounted secrets are readable by a group.) */
const SHARED = 0o037;

/**
 * Reads a file that must be private.
 * @param what how messages call it
 * @throws RecsysError FILE_MISSING · SECRETS_EXPOSED where others can read or change it
 */
export async function readPrivate(file: string, what: string): Promise<Buffer> {
  try {
    const { mode } = await stat(file);
    if (process.platform !== 'win32' && (mode & SHARED) !== 0)
      throw new RecsysError(
        'SECRETS_EXPOSED',
        `${what} ${file} can be read or changed by others (mode ${(mode & 0o777).toString(8)})`,
        { remedy: `Run \`chmod 600 ${file}\`; if others may have read it, make new ones.` },
      );
    return await readFile(file);
  } catch (error) {
    throw unreadable(error, file, what);
  }
}

/** The user's error behind a file that cannot be read, or the error itself. */
export function unreadable(error: unknown, file: string, what: string): unknown {
  const reason = REASONS[systemCode(error)];
  if (reason === undefined) return error;
  return new RecsysError('FILE_MISSING', `${what} ${file}: ${reason}`, { cause: error });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EISDIR: 'this is a folder',
  EACCES: 'no permission to read it',
};
