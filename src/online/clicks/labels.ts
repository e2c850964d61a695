import { RecsysError } from '../../errors.js';
import type { OnlineEvent } from '../events.js';
import type { ClicksConfig } from './schema.js';

/** Whether an event is a click (1) or none (0); undefined where it says neither. */
export function labelOf(
  { behaviour, value }: Pick<OnlineEvent, 'behaviour' | 'value'>,
  { positive, negative, minimumValue }: Pick<ClicksConfig, 'positive' | 'negative' | 'minimumValue'>,
): 0 | 1 | undefined {
  if (positive.includes(behaviour)) return 1;
  if (negative.includes(behaviour)) return 0;
  if (minimumValue === undefined || value === undefined) return undefined;
  return value >= minimumValue ? 1 : 0;
}

/** @throws RecsysError CONFIG_INVALID where a behaviour named is none of the model's: no event could have it */
export function checkBehaviours(
  { positive, negative }: Pick<ClicksConfig, 'positive' | 'negative'>,
  known: readonly string[],
): void {
  const stray = [...positive, ...negative].find((behaviour) => !known.includes(behaviour));
  if (stray !== undefined)
    throw new RecsysError('CONFIG_INVALID', `clicks: the model served has no behaviour “${stray}”`, {
      remedy: `Its behaviours: ${known.join(', ')}.`,
    });
}
