/**
 * The error catalogue. Every error a user can cause has a code here, with what to do about it; docs/errors.md lists them.
 * An exception that is not a RecsysError is a bug in recsys and is reported with its stack.
 */

/** Process exit codes (docs/errors.md). */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  data: 3,
  checkpoint: 4,
  environment: 5,
  interrupted: 130,
} as const;

type Kind = Exclude<keyof typeof EXIT, 'ok' | 'internal'>;

interface Entry {
  readonly kind: Kind;
  /** What the user can do. */
  readonly remedy: string;
}

export const CATALOGUE = {
  // usage and configuration (exit 2)
  USAGE: { kind: 'usage', remedy: 'See `recsys <stage> --help`.' },
  CONFIG_INVALID: {
    kind: 'usage',
    remedy: 'Correct the keys named above; `recsys config schema <stage>` lists all of them.',
  },
  CONFIG_SYNTAX: { kind: 'usage', remedy: 'Correct the YAML at the place named above.' },
  CONFIG_UNREADABLE: { kind: 'usage', remedy: 'Check the path given with --config.' },
  OUTPUT_EXISTS: { kind: 'usage', remedy: 'Choose another --out, or replace it with --force.' },
  OUTPUT_BUSY: { kind: 'usage', remedy: 'Wait until the other process is done, or end it.' },
  KEYS_REQUIRED: {
    kind: 'usage',
    remedy:
      'Make a key with `recsys serve-online keys create` and name its file with `--keys keys.json` (`security.keys`), or listen on 127.0.0.1.',
  },
  KEYS_INVALID: {
    kind: 'usage',
    remedy:
      'Restore the file from a copy, or remove it and make new keys with `recsys serve-online keys create`.',
  },
  SECRETS_EXPOSED: { kind: 'usage', remedy: 'Take the permissions from others: `chmod 600 <file>`.' },
  PSEUDONYMS_INVALID: {
    kind: 'usage',
    remedy:
      'Name the key file that the state directory was begun with as `privacy.pseudonyms.keyFile`, or begin with a fresh --state.',
  },
  TLS_INVALID: {
    kind: 'usage',
    remedy: 'Give a PEM certificate as `security.tls.cert` and its own private key as `security.tls.key`.',
  },
  PROTOCOL_MISMATCH: {
    kind: 'usage',
    remedy: 'Evaluate both models with the same dataset and evaluation settings.',
  },
  // input data (exit 3)
  FILE_MISSING: {
    kind: 'data',
    remedy:
      'Check the path; paths in a YAML are relative to the YAML, paths in flags to the working directory.',
  },
  COLUMN_MISSING: {
    kind: 'data',
    remedy: 'Check `columns`, `delimiter` and `header` in the YAML against the first lines of the file.',
  },
  TOO_MANY_REJECTED: {
    kind: 'data',
    remedy: 'Correct the column mapping (the first refused row is shown above), or raise `rejectLimit`.',
  },
  DATA_EMPTY: {
    kind: 'data',
    remedy: 'Loosen the filters (k-core, minimum rating, time range) or give more data.',
  },
  DATA_UNREADABLE: { kind: 'data', remedy: 'Check that the file is what its name says and is not damaged.' },
  DATASET_DAMAGED: { kind: 'data', remedy: 'Run `recsys prepare` again.' },
  SPLIT_IMPOSSIBLE: { kind: 'data', remedy: 'Choose another split or give users with more interactions.' },
  PROPENSITIES_INVALID: {
    kind: 'data',
    remedy:
      'Log lists with `exploration.log` of `recsys serve-online`, and export them with `recsys impressions`; without the probability of what was shown there is no estimate.',
  },
  LEAK: { kind: 'data', remedy: 'Train on a dataset prepared with the same split as the one evaluated on.' },
  JOURNAL_DAMAGED: {
    kind: 'data',
    remedy:
      'Restore the state directory from a copy, or see `recsys journal check <state>` for what is damaged and `recsys journal repair` to go on without it.',
  },
  // checkpoints (exit 4)
  CHECKPOINT_DAMAGED: { kind: 'checkpoint', remedy: 'Restore the directory from a copy or train again.' },
  CHECKPOINT_INCOMPATIBLE: {
    kind: 'checkpoint',
    remedy: 'Use a checkpoint of the model and format this stage expects (`recsys inspect <dir>`).',
  },
  CHECKPOINT_MOVED: {
    kind: 'checkpoint',
    remedy:
      'Put it back where it was, or give a copy of it with --model: it is known by its manifest’s hash.',
  },
  EXPORT_IMPOSSIBLE: {
    kind: 'checkpoint',
    remedy: 'Choose another --format, or export a checkpoint of another model.',
  },
  // resources and environment (exit 5)
  BACKEND_UNAVAILABLE: { kind: 'environment', remedy: 'Run `recsys doctor`.' },
  DISK: { kind: 'environment', remedy: 'Free space or choose a writable folder.' },
  PORT_IN_USE: {
    kind: 'environment',
    remedy: 'Choose another --port or end the process that listens on it.',
  },
  SERVICE: {
    kind: 'environment',
    remedy: 'Check --to, and that the service answers: `curl <url>/readyz`.',
  },
  EVENTS_LOST: {
    kind: 'environment',
    remedy: 'See the report for what differs; please report it with the journal.',
  },
  ENVIRONMENT: { kind: 'environment', remedy: 'Run `recsys doctor`.' },
  DIVERGED: { kind: 'environment', remedy: 'Lower the learning rate or set `clipNorm`.' },
  EXPORT_DIFFERS: {
    kind: 'environment',
    remedy:
      'Use the checkpoint itself; please report this with the model’s settings. `parity.tolerance` is what passes.',
  },
  // interruption (exit 130)
  INTERRUPTED: { kind: 'interrupted', remedy: 'Run it again.' },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof CATALOGUE;

/** A remedy of the catalogue with the stage that it is for. */
export const remedyFor = (remedy: string, stage: string): string => remedy.replaceAll('<stage>', stage);

/** A user's error: what is wrong and where (`message`), what to do (`remedy`), and the exit code. */
export class RecsysError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly exitCode: number;

  constructor(code: ErrorCode, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'RecsysError';
    this.code = code;
    this.remedy = options.remedy ?? CATALOGUE[code].remedy;
    this.exitCode = EXIT[CATALOGUE[code].kind];
  }
}
