import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.js';
import { ServiceError } from './error.js';

export interface RetryOptions {
  /** Milliseconds from the first try within which another one may begin; 0 = none. */
  readonly patience: number;
  /** Milliseconds before the second try. */
  readonly firstDelay: number;
  /** Most milliseconds between two tries, unless the service asks for more. */
  readonly longestDelay: number;
  readonly random: Random;
  /** Called before each wait. */
  readonly onRetry?: ((error: ServiceError, delay: number) => void) | undefined;
}

/**
 * Does something again while it fails in passing: after `firstDelay · 2^n`, at most `longestDelay`, of which a random half is left out
 * so that clients that failed together do not come back together, and never before the service's `Retry-After`.
 * @throws the last failure, once the next try would come after `patience`
 */
export async function withRetries<T>(
  options: RetryOptions,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const { patience, firstDelay, longestDelay, random, onRetry } = options;
  const began = performance.now();
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ServiceError) || !error.passing) throw error;
      const backoff = Math.min(longestDelay, firstDelay * 2 ** tries) * (0.5 + random.uniform() / 2);
      const delay = Math.max(backoff, error.retryAfter ?? 0);
      if (performance.now() - began + delay > patience) throw error;
      onRetry?.(error, delay);
      await sleep(delay, undefined, signal === undefined ? {} : { signal }).catch((stopped) => {
        throw signal?.reason ?? stopped;
      });
    }
  }
}
