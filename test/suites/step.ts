import type { StepCase } from './step-case.js';
import { groupsContract } from './step-groups.js';
import { runsContract } from './step-runs.js';
import { updatesContract } from './step-updates.js';

/** The contract of every CompiledStep. */
export function stepContract(one: StepCase): void {
  updatesContract(one);
  groupsContract(one);
  runsContract(one);
}
