import { type ClientOptions, RecsysClient, ServiceError } from '../client/index.js';
import { RecsysError } from '../errors.js';

/** What a command that talks to a service says of it. `timeout` and `patience` in seconds. */
export interface ServiceConfig {
  readonly to: string;
  readonly connections: number;
  readonly timeout: number;
  readonly patience?: number;
  /** `RECSYS_API_KEY`: a key belongs neither into a command line nor into a YAML. */
  readonly apiKey?: string | undefined;
}

/** A client as a command sets it up; without `patience` nothing is tried again. */
export function clientOf(config: ServiceConfig, onRetry?: ClientOptions['onRetry']): RecsysClient {
  const { to: url, apiKey, connections, timeout, patience = 0 } = config;
  return new RecsysClient({
    ...{ url, apiKey, connections, onRetry },
    ...{ timeout: timeout * 1000, patience: patience * 1000 },
  });
}

/** A service's refusal as an error of the command. */
export function asRecsysError(error: unknown): unknown {
  if (!(error instanceof ServiceError)) return error;
  return new RecsysError('SERVICE', `${error.code}: ${error.message}`, {
    remedy: error.remedy,
    cause: error,
  });
}

/** @throws RecsysError SERVICE where nobody answers, or something that is not ready */
export async function requireReady(client: RecsysClient, to: string): Promise<void> {
  const ready = await client.ready().catch((error) => {
    throw asRecsysError(error);
  });
  if (!ready) throw new RecsysError('SERVICE', `${to} is not ready, or nobody answers there`);
}
