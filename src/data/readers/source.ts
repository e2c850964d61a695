import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, parse, resolve, sep } from 'node:path';
import { PassThrough, pipeline, type Readable, Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { RecsysError } from '../../errors.js';
import type { ReadRequest } from './reader.js';

/** A file to read: absolute path ('-' for standard input), how people call it, and its size (0 = unknown). */
export interface SourceFile {
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
}

const RELATIVE =
  'Check the path; a data path is relative to `raw` (--raw), without it to the working directory.';

/**
 * Files named by `paths` (files, globs or '-'), relative to `base`; the matches of one glob are sorted by name.
 * Where `name` is absent and `name.gz` is there, that is meant.
 * Errors: FILE_MISSING.
 */
export async function resolveSources(paths: string | readonly string[], base: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const path of typeof paths === 'string' ? [paths] : paths) {
    if (path === '-') {
      files.push({ path, name: 'standard input', bytes: 0 });
      continue;
    }
    const named = isAbsolute(path) ? path : resolve(base, path);
    // A YAML names the plain file; the copy on disk may be gzipped.
    const absolute = !(await exists(named)) && (await exists(`${named}.gz`)) ? `${named}.gz` : named;
    const matches = /[*?]/.test(path) && !(await exists(absolute)) ? await glob(absolute) : [absolute];
    const missing = (what: string): RecsysError =>
      new RecsysError('FILE_MISSING', what, isAbsolute(path) ? {} : { remedy: RELATIVE });
    if (matches.length === 0) throw missing(`no file matches ${absolute}`);
    for (const match of matches) {
      const found = await stat(match).catch(() => undefined);
      if (!found) throw missing(`there is no file ${match}`);
      if (found.isDirectory()) throw new RecsysError('FILE_MISSING', `${match} is a folder, not a file`);
      files.push({ path: match, name: basename(match), bytes: found.size });
    }
  }
  return files;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Matches `*` and `?` inside path segments. */
async function glob(pattern: string): Promise<string[]> {
  const { root } = parse(pattern);
  let found = [root];
  for (const segment of pattern.slice(root.length).split(sep).filter(Boolean)) {
    if (!/[*?]/.test(segment)) {
      found = found.map((folder) => join(folder, segment));
      continue;
    }
    const source = segment
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*/g, '.*')
      .replace(/\?/g, '.');
    const expression = new RegExp(`^${source}$`);
    const next: string[] = [];
    for (const folder of found) {
      const names = await readdir(folder).catch(() => []);
      for (const name of names.sort()) if (expression.test(name)) next.push(join(folder, name));
    }
    found = next;
  }
  const present: string[] = [];
  for (const path of found) if (await exists(path)) present.push(path);
  return present;
}

/** The file's bytes, unzipped where they start with gzip's magic number. Errors come through the stream. */
export async function openBytes(request: ReadRequest): Promise<Readable> {
  const raw: Readable =
    request.path === '-' ? process.stdin : createReadStream(request.path, { highWaterMark: 1 << 18 });
  const first = await firstChunk(raw, request);
  const gzip = first.length > 1 && first[0] === 0x1f && first[1] === 0x8b;
  if (!gzip && first.length > 0 && request.path.endsWith('.gz'))
    throw new RecsysError(
      'DATA_UNREADABLE',
      `${request.path}: damaged gzip data (it does not begin as gzip does)`,
    );
  if (first.length > 0) raw.unshift(first);
  let read = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      read += chunk.length;
      request.onBytes(read);
      done(null, chunk);
    },
  });
  // The reader of the last stream sees the error; here is nothing left to do.
  return pipeline(raw, counted, gzip ? createGunzip() : new PassThrough(), () => undefined);
}

/** The first bytes of a stream; empty where it has none. */
async function firstChunk(stream: Readable, request: ReadRequest): Promise<Buffer> {
  return new Promise((done, fail) => {
    const stop = () => {
      stream.off('error', onError);
      stream.off('end', onEnd);
      stream.off('readable', onReadable);
    };
    const onError = (error: Error) => {
      stop();
      fail(unreadable(request, error));
    };
    const onEnd = () => {
      stop();
      done(Buffer.alloc(0));
    };
    const onReadable = () => {
      const chunk: Buffer | null = stream.read();
      if (chunk === null) return;
      stop();
      done(chunk);
    };
    stream.on('error', onError);
    stream.on('end', onEnd);
    stream.on('readable', onReadable);
  });
}

/** The error for a file that could not be read to its end. */
export function unreadable(request: Pick<ReadRequest, 'name' | 'path'>, error: unknown): RecsysError {
  if (error instanceof RecsysError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new RecsysError('FILE_MISSING', `there is no file ${request.path}`);
  const why = code?.startsWith('Z_') ? `damaged gzip data (${message})` : message;
  return new RecsysError('DATA_UNREADABLE', `${request.path === '-' ? request.name : request.path}: ${why}`, {
    cause: error,
  });
}

/** Lines of a text source with their numbers from 1. */
export async function* lines(request: ReadRequest): AsyncGenerator<[string, number]> {
  const bytes = await openBytes(request);
  bytes.setEncoding(request.encoding === 'latin-1' ? 'latin1' : 'utf8');
  let rest = '';
  let number = 0;
  try {
    for await (const chunk of bytes) {
      request.signal.throwIfAborted();
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) yield [withoutReturn(part, number === 0), ++number];
    }
  } catch (error) {
    throw request.signal.aborted ? error : unreadable(request, error);
  }
  if (rest !== '') yield [withoutReturn(rest, number === 0), ++number];
}

function withoutReturn(line: string, first: boolean): string {
  const text = first && line.charCodeAt(0) === 0xfeff ? line.slice(1) : line;
  return text.endsWith('\r') ? text.slice(0, -1) : text;
}
