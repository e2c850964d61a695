import { gated } from './gated.js';
import { plain } from './plain.js';
import type { Residual } from './residual.js';

/** Every residual connection, by its name in the YAML. */
export const RESIDUALS = { plain, gated } as const satisfies Record<string, Residual>;
export type ResidualName = keyof typeof RESIDUALS;
export const RESIDUAL_NAMES = Object.keys(RESIDUALS) as [ResidualName, ...ResidualName[]];
