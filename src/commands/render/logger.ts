import type { DestinationStream, Logger } from 'pino';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes lines to stderr; a spinner on the same terminal is lifted out of the way meanwhile. */
export interface LineSink {
  write(text: string): void;
}

/** The log on stderr: JSON lines, or coloured text on a terminal. */
export async function createLogger(level: LogLevel, terminal: boolean, sink: LineSink): Promise<Logger> {
  const { pino } = await import('pino');
  const options = { level, base: null };
  if (!terminal) return pino(options, sink);
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({
    colorize: process.env.NO_COLOR === undefined,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    ignore: 'pid,hostname',
  });
  const destination: DestinationStream = { write: (line) => sink.write(pretty(line) ?? line) };
  return pino(options, destination);
}
