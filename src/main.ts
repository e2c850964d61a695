import { Console } from 'node:console';
import { cli } from './cli.js';
import { version } from './commands/version.js';
import { EXIT, RecsysError, remedyFor } from './errors.js';

// stdout carries results only: whatever a library prints goes to stderr.
globalThis.console = new Console(process.stderr);

const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (abort.signal.aborted) process.exit(EXIT.interrupted);
    process.stderr.write('\ninterrupted: stopping at the next safe point; once more ends at once\n');
    abort.abort();
  });
}
// A process that started this one over a channel (a search its trials) stops it by hanging up, or by ending.
process.once('disconnect', () => abort.abort());
if (process.connected === false) abort.abort();
// A reader that has gone away (`| head`) is no error of ours: the work itself is done.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.environment),
);
process.stderr.on('error', () => {});

function report(error: unknown, argv: readonly string[]): number {
  const json = argv.includes('--json');
  const known = asKnown(error);
  if (known === undefined) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const message = error instanceof Error ? error.message : String(error);
    if (json)
      process.stderr.write(
        `${JSON.stringify({ error: { code: 'INTERNAL', message, stack, exitCode: EXIT.internal } })}\n`,
      );
    else
      process.stderr.write(
        `${stack}\n\nThis is a bug in recsys ${version()}: please report it with the lines above.\n`,
      );
    return EXIT.internal;
  }
  const { code, message, exitCode } = known;
  const [command = '-'] = argv;
  const remedy = command.startsWith('-') ? known.remedy : remedyFor(known.remedy, command);
  if (json) process.stderr.write(`${JSON.stringify({ error: { code, message, remedy, exitCode } })}\n`);
  else process.stderr.write(`error: ${message}\n  → ${remedy}\n`);
  return exitCode;
}

function asKnown(error: unknown): RecsysError | undefined {
  if (error instanceof RecsysError) return error;
  if (abort.signal.aborted && error instanceof Error && error.name === 'AbortError') {
    return new RecsysError('INTERRUPTED', 'interrupted', { cause: error });
  }
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EACCES' || code === 'EROFS' || code === 'EPERM' || code === 'EDQUOT') {
    return new RecsysError('DISK', (error as Error).message, { cause: error });
  }
  return undefined;
}

async function main(argv: readonly string[]): Promise<number> {
  try {
    await cli(argv, {
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      cwd: process.cwd(),
      signal: abort.signal,
      now: () => performance.now(),
    });
    return EXIT.ok;
  } catch (error) {
    return report(error, argv);
  }
}

// Exits rather than waiting for the event loop: native libraries keep threads and handles.
process.exit(await main(process.argv.slice(2)));
