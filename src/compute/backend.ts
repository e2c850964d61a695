/** Names of the tensor backends, in order of preference. */
export const BACKENDS = ['tensorflow', 'wasm', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** The active backend, as recorded in manifests. */
export interface BackendInfo {
  readonly name: BackendName;
  /** tfjs version; with `tensorflow` also the libtensorflow version, and whether our own operations are there. */
  readonly version: string;
  readonly device: 'cpu' | 'gpu';
  readonly threads: number;
  /** Why this one was chosen, in one line. */
  readonly reason: string;
}
