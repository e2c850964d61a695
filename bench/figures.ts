/** How figures stand in the tables of the pages. */

/** A mean with the interval that it lies in. */
export interface Measured {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Four places, no leading zero. */
export const four = (value: number): string =>
  value
    .toFixed(4)
    .replace(/^(-?)0/, '$1')
    .replace('-', '−');

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Several runs as one: the mean of their means, from the lowest end of their intervals to the highest. */
export const over = (all: readonly Measured[]): Measured => ({
  mean: mean(all.map((one) => one.mean)),
  low: Math.min(...all.map((one) => one.low)),
  high: Math.max(...all.map((one) => one.high)),
});

export const bracketed = ({ mean, low, high }: Measured): string =>
  `${four(mean)} [${four(low)}, ${four(high)}]`;
