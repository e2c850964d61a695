import type { EagerStep } from '../eager-step.js';
import type { Batch, StepOptions } from '../step.js';
import type { NativeBackend } from './binding.js';
import type { GraphBuilder } from './graph-def.js';
import type { GraphVariable } from './session.js';

/** One recorded batch shape: what to feed and what to ask for. */
export interface Program {
  /** Name of the placeholder of an input. */
  placeholder(input: string): string;
  /** Nodes to ask for: asking for them makes the whole step happen. */
  readonly loss: string;
  readonly norm: string;
  /** All nodes the program must keep, its placeholders included. */
  readonly roots: readonly string[];
}

export interface RecordParts {
  readonly options: StepOptions;
  readonly eager: EagerStep;
  readonly backend: NativeBackend;
  readonly graph: GraphBuilder;
  readonly outside: Map<number, string>;
  readonly variables: readonly GraphVariable[];
  readonly batch: Batch;
  readonly prefix: string;
  /** Step number fed while recording. */
  readonly step: number;
}
