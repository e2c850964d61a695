import { layer } from './layer.js';
import type { Norm } from './norm.js';
import { rms } from './rms.js';

/** Every normalisation, by its name in the YAML. */
export const NORMS = { layer, rms } as const satisfies Record<string, Norm>;
export type NormName = keyof typeof NORMS;
export const NORM_NAMES = Object.keys(NORMS) as [NormName, ...NormName[]];
