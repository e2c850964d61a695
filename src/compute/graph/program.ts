import type { EagerStep } from '../eager-step.js';
import type { StepOptions } from '../step.js';
import type { NativeBackend } from './binding.js';
import type { GraphBuilder } from './graph-def.js';
import type { Recorder } from './recorder.js';
import type { GraphVariable, ScratchVariable } from './session.js';

/** A recorded part of a step: what to feed and what to ask for. */
export interface Program {
  /** Name of the placeholder of an input. */
  placeholder(input: string): string;
  /** Nodes to ask for: asking for them makes all of the program happen. */
  readonly outputs: readonly string[];
  /** All nodes the program must keep, its placeholders included. */
  readonly roots: readonly string[];
}

export interface RecordParts {
  readonly options: StepOptions;
  readonly eager: EagerStep;
  readonly backend: NativeBackend;
  readonly graph: GraphBuilder;
  readonly outside: Map<number, string>;
  /** Empty: the program is only run, nothing is written (a warm-up). */
  readonly variables: readonly GraphVariable[];
  readonly scratch: readonly ScratchVariable[];
  readonly prefix: string;
  /** Step number fed while recording. */
  readonly step: number;
}

export interface Recorded {
  readonly program: Program;
  readonly recorder: Recorder;
  /** Parameters the program has gradients of. */
  readonly reached: ReadonlySet<string>;
}
