/**
 * Errors of the HTTP interface: status, and what the caller can do. Clients see code, message and remedy, never a stack.
 */
export const REPLIES = {
  REQUEST_INVALID: { status: 400, remedy: 'Correct what the message names; /docs describes every request.' },
  UNAUTHENTICATED: {
    status: 401,
    remedy: 'Send a valid key: `authorization: Bearer rsk_…`; the operator of the service makes them.',
  },
  FORBIDDEN: { status: 403, remedy: 'Use a key that has the scope; the operator of the service makes them.' },
  NOT_FOUND: { status: 404, remedy: 'See /docs for the routes.' },
  CONFLICT: { status: 409, remedy: 'See `GET /v1/admin/learning` for what there is.' },
  CHECKPOINT_REFUSED: {
    status: 409,
    remedy: 'Correct what the message names, or name another checkpoint; what was served still is.',
  },
  BODY_TOO_LARGE: { status: 413, remedy: 'Send fewer events in one request.' },
  MEDIA_TYPE: { status: 415, remedy: 'Send JSON with content-type application/json.' },
  RATE_LIMITED: {
    status: 429,
    remedy: 'Try again after the time in the Retry-After header, and ask less often.',
  },
  INTERNAL: { status: 500, remedy: 'Look into the log of the service for the request id.' },
  LEARNER_BEHIND: { status: 503, remedy: 'Try again after the time in the Retry-After header.' },
  NOT_READY: { status: 503, remedy: 'Wait until /readyz answers 200.' },
  STORAGE: {
    status: 507,
    remedy: 'Free space where the state directory is; recommendations go on meanwhile.',
  },
} as const;
export type ReplyCode = keyof typeof REPLIES;

/** One defect of a request: which event (where the request has several), which field, and what is wrong. */
export interface RequestDefect {
  readonly index?: number;
  readonly field: string;
  readonly message: string;
}

/** An error that a client of the service caused or can act on. */
export class ReplyError extends Error {
  readonly code: ReplyCode;
  readonly defects: readonly RequestDefect[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ReplyCode,
    message: string,
    defects: readonly RequestDefect[] = [],
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = 'ReplyError';
    this.code = code;
    this.defects = defects;
    this.headers = headers;
  }

  get status(): number {
    return REPLIES[this.code].status;
  }

  get remedy(): string {
    return REPLIES[this.code].remedy;
  }
}
