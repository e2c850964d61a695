/** The lineage as a picture: data set → teacher → student → tuned, as boxes and arrows in SVG. */
import type { CheckpointManifest, LineageEntry } from '../storage/manifest.js';
import { escapeHtml, formatCount } from './format.js';

/** A step of the lineage: a checkpoint, the data it was trained on, or a gap where many were left out. */
interface Step {
  readonly kind: 'model' | 'data' | 'gap';
  readonly title: string;
  readonly lines: readonly string[];
}
interface Link {
  readonly step: Step;
  /** Data new at this step, drawn below it. */
  readonly data?: Step;
}

const BOX = { width: 168, height: 76, gap: 44, below: 40 } as const;
const PER_ROW = 5;
/** More ancestors than this are abridged in the middle (a serving model may have hundreds). */
const SHOWN = 9;

function dataStep(dataset: LineageEntry['dataset']): Step {
  const path = dataset?.path.split(/[\\/]/).filter(Boolean).at(-1);
  const name = dataset?.name ?? path ?? 'unknown';
  return {
    kind: 'data',
    title: name,
    lines: ['dataset', dataset === undefined ? '' : dataset.fingerprint.slice(0, 12)],
  };
}

function modelStep(entry: Pick<LineageEntry, 'stage' | 'path' | 'model' | 'parameters'>): Step {
  const size = entry.parameters === undefined ? '' : `${formatCount(entry.parameters)} parameters`;
  return { kind: 'model', title: entry.stage, lines: [entry.model ?? '', size] };
}

function linksOf(manifest: CheckpointManifest): Link[] {
  const { stage, model, dataset } = manifest;
  const self = {
    stage,
    path: '',
    manifestSha256: '',
    model: model.name,
    parameters: model.parameters,
    dataset,
  };
  const entries: LineageEntry[] = [...manifest.lineage, self];
  const links: Link[] = [{ step: dataStep(entries[0]!.dataset) }];
  let current = entries[0]!.dataset?.fingerprint;
  for (const entry of entries) {
    const fingerprint = entry.dataset?.fingerprint;
    const isNew = fingerprint !== undefined && fingerprint !== current;
    links.push({ step: modelStep(entry), ...(isNew ? { data: dataStep(entry.dataset) } : {}) });
    current = fingerprint ?? current;
  }
  if (links.length <= SHOWN) return links;
  const omitted = links.length - SHOWN + 1;
  return [
    ...links.slice(0, 3),
    { step: { kind: 'gap', title: '…', lines: [`${omitted} more`] } },
    ...links.slice(omitted + 3),
  ];
}

function clip(text: string): string {
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}

function box(step: Step, x: number, y: number, last: boolean): string {
  const [first = '', second = ''] = step.lines;
  const middle = x + BOX.width / 2;
  const full = [step.title, ...step.lines].filter(Boolean).join(' · ');
  return [
    `<g class="${step.kind}${last ? ' last' : ''}"><title>${escapeHtml(full)}</title>`,
    `<rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="${step.kind === 'data' ? 38 : 10}"/>`,
    `<text class="t" x="${middle}" y="${y + 27}">${escapeHtml(clip(step.title))}</text>`,
    `<text x="${middle}" y="${y + 46}">${escapeHtml(clip(first))}</text>`,
    `<text x="${middle}" y="${y + 62}">${escapeHtml(clip(second))}</text></g>`,
  ].join('');
}

const arrow = (path: string) => `<path class="arrow" d="${path}" marker-end="url(#arrowhead)"/>`;

/** The SVG of a checkpoint's lineage; long ones wrap into several rows. */
export function lineageSvg(manifest: CheckpointManifest): string {
  const links = linksOf(manifest);
  const step = BOX.width + BOX.gap;
  const hasData = links.some((link) => link.data !== undefined);
  const rowHeight = BOX.height + (hasData ? BOX.below + BOX.height : 0) + BOX.gap;
  const parts: string[] = [];
  links.forEach((link, index) => {
    const column = index % PER_ROW;
    const x = 1 + column * step;
    const y = 1 + Math.floor(index / PER_ROW) * rowHeight;
    const middle = y + BOX.height / 2;
    if (index > 0 && column > 0) parts.push(arrow(`M${x - BOX.gap + 4} ${middle}H${x - 7}`));
    else if (index > 0) {
      const above = y - rowHeight + BOX.height / 2;
      const right = (PER_ROW - 1) * step + BOX.width + 1;
      const turn = y - BOX.gap / 2;
      parts.push(arrow(`M${right + 4} ${above}h12V${turn}H${BOX.width / 2}V${y - 7}`));
    }
    parts.push(box(link.step, x, y, index === links.length - 1));
    if (link.data !== undefined) {
      const below = y + BOX.height + BOX.below;
      parts.push(
        box(link.data, x, below, false),
        arrow(`M${x + BOX.width / 2} ${below - 4}V${y + BOX.height + 7}`),
      );
    }
  });
  const width = Math.min(links.length, PER_ROW) * step - BOX.gap + (links.length > PER_ROW ? 20 : 2);
  const height = Math.ceil(links.length / PER_ROW) * rowHeight - BOX.gap + 2;
  const head =
    '<marker id="arrowhead" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>';
  return `<svg class="lineage" role="img" aria-label="Lineage" viewBox="0 0 ${width} ${height}" style="max-width:${width}px"><defs>${head}</defs>${parts.join('')}</svg>`;
}
