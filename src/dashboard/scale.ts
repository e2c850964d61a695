/** Where values lie in a picture. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  /** Round values between the ends, rising. */
  readonly ticks: readonly number[];
  /** Pixel of a value. */
  at(value: number): number;
}

/** The smallest of 1, 2, 5 × 10ⁿ that is at least `size`. */
function roundStep(size: number): number {
  const power = 10 ** Math.floor(Math.log10(size));
  // A step that is round but for the last bit is that step.
  return power * [1, 2, 5, 10].find((factor) => factor * power >= size * (1 - 1e-9))!;
}

/** A scale from pixel `from` to `to` that holds all finite values, with about `count` ticks at round values. */
export function scaleOf(values: readonly number[], from: number, to: number, count = 4): Scale {
  const known = values.filter(Number.isFinite);
  const least = known.length === 0 ? 0 : Math.min(...known);
  const most = known.length === 0 ? 1 : Math.max(...known);
  const span = most - least || Math.abs(most) || 1;
  const step = roundStep(span / count);
  const low = Math.floor(least / step) * step;
  const high = Math.max(low + step, Math.ceil(most / step - 1e-9) * step);
  const steps = Math.round((high - low) / step);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const ticks = Array.from({ length: steps + 1 }, (_, i) => Number((low + i * step).toFixed(digits)));
  return { low, high, ticks, at: (value) => from + ((value - low) / (high - low)) * (to - from) };
}

/** Moves rising or unordered positions apart, by as little as brings each `gap` from the next, within `low` to `high`. */
export function apart(positions: readonly number[], gap: number, low: number, high: number): number[] {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a]! - positions[b]!);
  const moved = [...positions];
  let least = low;
  for (const i of order) {
    moved[i] = Math.max(moved[i]!, least);
    least = moved[i]! + gap;
  }
  let most = high;
  for (const i of order.reverse()) {
    moved[i] = Math.min(moved[i]!, most);
    most = moved[i]! - gap;
  }
  return moved;
}

/** An SVG path through points; a point that is not finite parts it. Rounded to tenths of a pixel. */
export function linePath(points: readonly (readonly [x: number, y: number])[]): string {
  let pen = 'M';
  let path = '';
  for (const [x, y] of points) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      pen = 'M';
      continue;
    }
    path += `${pen}${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
    pen = 'L';
  }
  return path;
}
