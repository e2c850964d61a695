import { errorSchema } from '../protocol/errors.js';

/** One defect of a request: which event (where the request has several), which field, and what is wrong. */
export interface Defect {
  readonly index?: number | undefined;
  readonly field: string;
  readonly message: string;
}

interface Details {
  readonly status?: number;
  readonly code: string;
  readonly remedy: string;
  readonly defects?: readonly Defect[];
  readonly requestId?: string | undefined;
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** What a service refused, or why it could not be asked. Codes of the service are listed in docs/serving.md; those of the client are `UNREACHABLE`, `TIMEOUT` and `REPLY_INVALID`. */
export class ServiceError extends Error {
  /** HTTP status; 0 where there was no answer. */
  readonly status: number;
  readonly code: string;
  /** What the caller can do. */
  readonly remedy: string;
  readonly defects: readonly Defect[];
  /** Names the request in the service's log; absent where there was no answer. */
  readonly requestId: string | undefined;
  /** Milliseconds after which the service asks to be tried again. */
  readonly retryAfter: number | undefined;

  constructor(message: string, details: Details) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'ServiceError';
    this.status = details.status ?? 0;
    this.code = details.code;
    this.remedy = details.remedy;
    this.defects = details.defects ?? [];
    this.requestId = details.requestId;
    this.retryAfter = details.retryAfter;
  }

  /** Whether the same request may succeed later. */
  get passing(): boolean {
    return [429, 503, 507].includes(this.status) || this.code === 'UNREACHABLE' || this.code === 'TIMEOUT';
  }
}

/** A reply that is no success, of the service or of a proxy before it. */
export function refusal(
  status: number,
  body: string,
  headers: { readonly requestId?: string | undefined; readonly retryAfter?: string | undefined },
): ServiceError {
  const said = errorSchema.safeParse(parsedJson(body)).data;
  return new ServiceError(said?.message ?? `the service answered ${status}`, {
    status,
    code: said?.code ?? `HTTP_${status}`,
    remedy: said?.remedy ?? 'Check the address: the answer is not one of recsys.',
    defects: said?.errors ?? [],
    requestId: said?.requestId ?? headers.requestId,
    retryAfter: retryAfterOf(headers.retryAfter),
  });
}

/** An answer as JSON; undefined where it is none. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `Retry-After` in milliseconds: seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
