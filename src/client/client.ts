import type { z } from 'zod';
import {
  checkpointReplySchema,
  takeCheckpointReplySchema,
  type takeCheckpointSchema,
} from '../protocol/checkpoints.js';
import { clicksReplySchema } from '../protocol/clicks.js';
import { elicitationReplySchema } from '../protocol/elicitation.js';
import { type eventSchema, receiptsSchema } from '../protocol/events.js';
import { type learningActionSchema, learningReplySchema } from '../protocol/learning.js';
import { type QualityReply, qualityReplySchema } from '../protocol/quality.js';
import {
  type RecommendQuery,
  recommendReplySchema,
  type recommendSchema,
} from '../protocol/recommendations.js';
import { stateReplySchema } from '../protocol/states.js';
import { statusSchema } from '../protocol/status.js';
import {
  erasureReplySchema,
  type UserImpressionsQuery,
  type UserQuery,
  userImpressionsReplySchema,
  userReplySchema,
} from '../protocol/users.js';
import { Random } from '../random.js';
import { parsedJson, refusal, ServiceError } from './error.js';
import { type RetryOptions, withRetries } from './retry.js';
import { type Answer, Transport } from './transport.js';

/** An event as it is sent. Its id makes it safe to send it again. */
export type Event = z.input<typeof eventSchema>;
export type Receipts = z.output<typeof receiptsSchema>;
export type RecommendationRequest = z.input<typeof recommendSchema>;
export type Recommendations = z.output<typeof recommendReplySchema>;
export type Questions = z.output<typeof elicitationReplySchema>;
export type Clicks = z.output<typeof clicksReplySchema>;
export type Quality = QualityReply;
export type Learning = z.output<typeof learningReplySchema>;
export type LearningAction = z.input<typeof learningActionSchema>['action'];
export type Checkpoint = z.output<typeof checkpointReplySchema>;
export type CheckpointTaken = z.output<typeof takeCheckpointReplySchema>;
export type TakeCheckpoint = z.input<typeof takeCheckpointSchema>;
export type UserKnown = z.output<typeof userReplySchema>;
export type UserImpressions = z.output<typeof userImpressionsReplySchema>;
export type Erasure = z.output<typeof erasureReplySchema>;
export type State = z.output<typeof stateReplySchema>;

export interface ClientOptions {
  /** Address of the service, such as `http://127.0.0.1:8080`. */
  readonly url: string | URL;
  /** Sent as `authorization: Bearer <key>`. */
  readonly apiKey?: string | undefined;
  /** Connections open at a time; more requests wait for one. Default: 16. */
  readonly connections?: number;
  /** Milliseconds that one try may take. Default: 10,000. */
  readonly timeout?: number;
  /** Milliseconds from the first try within which another may begin, where the service is busy or not there; 0 = never. Default: 30,000. */
  readonly patience?: number;
  /** Milliseconds before the second try; each further one waits twice as long. Default: 100. */
  readonly firstDelay?: number;
  /** Most milliseconds between two tries, unless the service asks for more. Default: 5,000. */
  readonly longestDelay?: number;
  /** Seed of the random part of delays; default: another one in each process. */
  readonly seed?: number;
  /** Called before each wait for another try. */
  readonly onRetry?: ((error: ServiceError, delay: number) => void) | undefined;
}

export interface CallOptions {
  /** Ends the call, tries to come included, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds that taking up a checkpoint may take: it is loaded, compared, and the journal replayed for it. */
const TAKE_UP = 3_600_000;

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/**
 * A client of `recsys serve-online`. Every method answers what the service answered, or throws a ServiceError: of the service's
 * own errors, `UNREACHABLE`, `TIMEOUT`, or `REPLY_INVALID` for an answer that is not one of this version's.
 */
export class RecsysClient {
  private readonly transport: Transport;
  private readonly retries: RetryOptions;

  constructor(options: ClientOptions) {
    const { apiKey, connections = 16, timeout = 10_000, patience = 30_000 } = options;
    const { firstDelay = 100, longestDelay = 5_000, seed = process.pid ^ Date.now(), onRetry } = options;
    this.transport = new Transport(new URL(options.url), {
      connections,
      timeout,
      headers: { accept: 'application/json', ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}) },
    });
    this.retries = { patience, firstDelay, longestDelay, random: Random.of(seed, 'retry'), onRetry };
  }

  /** `POST /v1/events` of one event. */
  event(event: Event, options?: CallOptions): Promise<Receipts> {
    return this.events([event], options);
  }

  /** `POST /v1/events`: all of them are taken or none (at most 1,000, unless the service is set otherwise). */
  events(events: readonly Event[], options?: CallOptions): Promise<Receipts> {
    return this.ask(receiptsSchema, 'POST', '/v1/events', events, options);
  }

  /** `GET /v1/recommendations`: a list for a user. */
  recommendations(
    user: string,
    asked: Partial<Omit<RecommendQuery, 'user'>> = {},
    options?: CallOptions,
  ): Promise<Recommendations> {
    return this.ask(
      recommendReplySchema,
      'GET',
      `/v1/recommendations${query({ user, ...asked })}`,
      undefined,
      options,
    );
  }

  /** `POST /v1/recommendations`: a list for a user, a session or a state, of some candidates perhaps. */
  recommend(request: RecommendationRequest, options?: CallOptions): Promise<Recommendations> {
    return this.ask(recommendReplySchema, 'POST', '/v1/recommendations', request, options);
  }

  /** `GET /v1/elicitation`: what to ask a user about. */
  elicitation(
    user: string,
    asked: { readonly k?: number; readonly asked?: readonly string[] } = {},
    options?: CallOptions,
  ): Promise<Questions> {
    const path = `/v1/elicitation${query({ user, ...asked })}`;
    return this.ask(elicitationReplySchema, 'GET', path, undefined, options);
  }

  /** `POST /v1/clicks`: how likely a user is to click each item, of a service with a click model. */
  clicks(user: string, items: readonly string[], options?: CallOptions): Promise<Clicks> {
    return this.ask(clicksReplySchema, 'POST', '/v1/clicks', { user, items }, options);
  }

  /** `GET /v1/state`: the state that a user's events have led to. */
  state(user: string, options?: CallOptions): Promise<State> {
    return this.ask(stateReplySchema, 'GET', `/v1/state${query({ user })}`, undefined, options);
  }

  /** `GET /v1/quality`: what each kind of learning earns on the newest events. */
  quality(options?: CallOptions): Promise<Quality> {
    return this.ask(qualityReplySchema, 'GET', '/v1/quality', undefined, options);
  }

  /** `GET /v1/admin/learning`: whether the model learns, and what its guard has seen. */
  learning(options?: CallOptions): Promise<Learning> {
    return this.ask(learningReplySchema, 'GET', '/v1/admin/learning', undefined, options);
  }

  /** `POST /v1/admin/learning`: pause learning, resume it, or take back what was learned since the last good snapshot. */
  setLearning(action: LearningAction, options?: CallOptions): Promise<Learning> {
    return this.ask(learningReplySchema, 'POST', '/v1/admin/learning', { action }, options);
  }

  /** `GET /v1/admin/checkpoint`: which checkpoint is served, and which was before. */
  checkpoint(options?: CallOptions): Promise<Checkpoint> {
    return this.ask(checkpointReplySchema, 'GET', '/v1/admin/checkpoint', undefined, options);
  }

  /** `POST /v1/admin/checkpoint`: compares a checkpoint with what is served, and has it served unless it is worse. Asked once. */
  async takeCheckpoint(wanted: TakeCheckpoint, options?: CallOptions): Promise<CheckpointTaken> {
    const body = JSON.stringify(wanted);
    return read(
      takeCheckpointReplySchema,
      await this.once('POST', '/v1/admin/checkpoint', body, options, TAKE_UP),
    );
  }

  /** `POST /v1/admin/checkpoint/rollback`: the checkpoint before is served again, with what had been learned on it. Asked once: twice would go back twice. */
  async rollBackCheckpoint(options?: CallOptions): Promise<Checkpoint> {
    const path = '/v1/admin/checkpoint/rollback';
    return read(checkpointReplySchema, await this.once('POST', path, '{}', options, TAKE_UP));
  }

  /** `GET /v1/users/{id}`: everything known of a user; ask again with `after: next` for more events. */
  user(id: string, asked: UserQuery = {}, options?: CallOptions): Promise<UserKnown> {
    const path = `/v1/users/${encodeURIComponent(id)}${query({ ...asked } as Query)}`;
    return this.ask(userReplySchema, 'GET', path, undefined, options);
  }

  /** `GET /v1/users/{id}/impressions`: lists that were served to a user; ask again with `after: next` for more. */
  userImpressions(
    id: string,
    asked: UserImpressionsQuery = {},
    options?: CallOptions,
  ): Promise<UserImpressions> {
    const path = `/v1/users/${encodeURIComponent(id)}/impressions${query({ ...asked } as Query)}`;
    return this.ask(userImpressionsReplySchema, 'GET', path, undefined, options);
  }

  /** `DELETE /v1/users/{id}`: erases a user; asked again it does no harm. */
  eraseUser(id: string, options?: CallOptions): Promise<Erasure> {
    return this.ask(erasureReplySchema, 'DELETE', `/v1/users/${encodeURIComponent(id)}`, undefined, options);
  }

  /** `GET /readyz`, asked once: false where the service is not there or not ready. */
  async ready(options?: CallOptions): Promise<boolean> {
    try {
      return read(statusSchema, await this.once('GET', '/readyz', undefined, options)).status === 'ready';
    } catch (error) {
      if (error instanceof ServiceError && error.passing) return false;
      throw error;
    }
  }

  /** `GET /healthz`, asked once: false where no process answers. */
  async health(options?: CallOptions): Promise<boolean> {
    try {
      return read(statusSchema, await this.once('GET', '/healthz', undefined, options)).status === 'ok';
    } catch (error) {
      if (error instanceof ServiceError && error.passing) return false;
      throw error;
    }
  }

  /** `GET /metrics`, as Prometheus reads it. */
  async metrics(options?: CallOptions): Promise<string> {
    const answer = await withRetries(this.retries, options?.signal, () =>
      this.once('GET', '/metrics', undefined, options),
    );
    return answer.body;
  }

  /** Closes the connections; calls under way fail. */
  close(): void {
    this.transport.close();
  }

  private ask<S extends z.ZodType>(
    schema: S,
    method: string,
    path: string,
    body: unknown,
    options?: CallOptions,
  ): Promise<z.output<S>> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return withRetries(this.retries, options?.signal, async () =>
      read(schema, await this.once(method, path, text, options)),
    );
  }

  private async once(
    method: string,
    path: string,
    body: string | undefined,
    options?: CallOptions,
    timeout?: number,
  ) {
    const answer = await this.transport.send(method, path, body, options?.signal, timeout);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw refusal(answer.status, answer.body, answer);
  }
}

function query(values: Query): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) text.set(name, String(value));
  return `?${text}`;
}

function read<S extends z.ZodType>(schema: S, { status, body, requestId }: Answer): z.output<S> {
  const parsed = schema.safeParse(parsedJson(body));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ServiceError(`the answer is not one of recsys: ${issue!.path.join('.')} ${issue!.message}`, {
    status,
    code: 'REPLY_INVALID',
    remedy: 'Check the address, and that the versions of client and service are the same.',
    requestId,
  });
}
