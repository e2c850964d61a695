/** One line of `/metrics`: the value of a metric under its labels. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([+-]?[\d.]\S*|[+-]Inf|Na[Nn])(?: -?\d+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const INFINITE: Readonly<Record<string, number>> = { '+Inf': Infinity, '-Inf': -Infinity };

/** Reads Prometheus text (exposition format 0.0.4); lines that are no samples are passed over. */
export function readMetrics(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    if (match === null) return [];
    const [, name, labels = '', value] = match;
    const pairs = [...labels.matchAll(LABEL)].map(
      ([, label, quoted]) => [label!, unquoted(quoted!)] as const,
    );
    return { name: name!, labels: Object.fromEntries(pairs), value: INFINITE[value!] ?? Number(value) };
  });
}

const unquoted = (text: string): string =>
  text.replaceAll(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));

/** The samples of a metric that have these labels. */
export function select(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Sample[] {
  const wanted = Object.entries(labels);
  return samples.filter(
    (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
  );
}

/** The sum of samples; 0 of none. */
export const total = (samples: readonly Sample[]): number =>
  samples.reduce((sum, { value }) => sum + value, 0);

/** The value of a gauge; NaN where there is none. */
export const gauge = (
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number => select(samples, name, labels)[0]?.value ?? Number.NaN;
