import { resolve } from 'node:path';
import { RecsysError } from '../errors.js';

/** Reads a stream to its end. */
export async function readAll(stream: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream)
    chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * The path in what a previous stage wrote to stdout: a path on one line, or one `--json` object with a `path`.
 * @throws RecsysError USAGE where it is neither
 */
export function pathFromStdin(text: string, flag: string, cwd: string): string {
  const line = text.trim();
  if (line === '')
    throw new RecsysError(
      'USAGE',
      `--${flag} -: nothing arrived on stdin; the stage before it in the pipe has probably failed`,
    );
  if (line.startsWith('{')) {
    try {
      const path = (JSON.parse(line) as { path?: unknown }).path;
      if (typeof path === 'string' && path !== '') return resolve(cwd, path);
    } catch (cause) {
      throw new RecsysError('USAGE', `--${flag} -: stdin holds no valid JSON object: ${line.slice(0, 80)}`, {
        cause,
      });
    }
    throw new RecsysError('USAGE', `--${flag} -: the JSON object on stdin has no "path"`);
  }
  if (line.includes('\n'))
    throw new RecsysError(
      'USAGE',
      `--${flag} -: expected one path or one --json line on stdin, found ${line.split('\n').length} lines`,
    );
  return resolve(cwd, line);
}
