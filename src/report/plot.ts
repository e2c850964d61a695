import { RecsysError } from '../errors.js';

/** A Vega-Lite specification (https://vega.github.io/vega-lite/docs/spec.html) with its data inline. */
export type PlotSpec = Readonly<Record<string, unknown>>;

/** Colours of the series, as CSS variables that the page sets for light and dark. */
const SERIES = Array.from({ length: 8 }, (_, index) => `#5e11e${index}`);
const GRID = '#5e11ea';
const TEXT = '#5e11eb';

/** Vega computes with colours, so it is given stand-ins, replaced in the finished picture. */
function themed(svg: string): string {
  return svg
    .replaceAll(GRID, 'var(--grid)')
    .replaceAll(TEXT, 'currentColor')
    .replace(/#5e11e([0-7])/g, (_, index: string) => `var(--series-${index})`);
}

const CONFIG = {
  background: null,
  // The size is that of the whole picture, so that pictures side by side line up.
  autosize: { type: 'fit', contains: 'padding' },
  font: 'system-ui, sans-serif',
  view: { stroke: null },
  range: { category: SERIES },
  axis: {
    grid: true,
    gridColor: GRID,
    domain: false,
    ticks: false,
    labelColor: TEXT,
    titleColor: TEXT,
    labelOpacity: 0.75,
    titleOpacity: 0.75,
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 'normal',
    labelPadding: 6,
  },
  axisX: { grid: false },
  legend: {
    labelColor: TEXT,
    titleColor: TEXT,
    orient: 'bottom',
    title: null,
    labelFontSize: 11,
    symbolStrokeWidth: 2,
    columnPadding: 16,
  },
  title: {
    color: TEXT,
    anchor: 'start',
    frame: 'bounds',
    fontSize: 13,
    fontWeight: 600,
    offset: 12,
    subtitleColor: TEXT,
  },
  line: { strokeWidth: 2 },
  mark: { color: SERIES[0] },
};

/** No plot reads anything but the data inside it. */
const LOADER = {
  options: {},
  load: () =>
    Promise.reject(new RecsysError('ENVIRONMENT', 'a plot asks for data outside its specification')),
  sanitize: () => Promise.reject(new RecsysError('ENVIRONMENT', 'a plot links outside the report')),
  http: () => Promise.reject(new Error('no network')),
  file: () => Promise.reject(new Error('no files')),
};

/** Draws a plot as SVG text whose colours follow the page. Vega is loaded on the first call only: it is large. */
export async function drawPlot(spec: PlotSpec): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const full = {
    width: 440,
    height: 270,
    ...spec,
    config: { ...CONFIG, ...(spec.config as object | undefined) },
  };
  const compiled = compile(full as unknown as Parameters<typeof compile>[0], {
    // A warning would go to the console, which belongs to the command.
    logger: vega.logger(vega.None) as never,
  });
  const view = new vega.View(vega.parse(compiled.spec), {
    renderer: 'none',
    loader: LOADER,
    logLevel: vega.None,
  });
  try {
    return themed(await view.toSVG());
  } finally {
    view.finalize();
  }
}
