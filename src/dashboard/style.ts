import { STYLE } from '../report/style.js';

/** The report's style sheet, and what only this page has. */
export const DASHBOARD_STYLE = `${STYLE}
:root { --bad: #a8201a; --bad-soft: #fdeceb; --warn: #7a5200; --warn-soft: #fdf3dd; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff9d96; --bad-soft: #3a1c1b; --warn: #f0c878; --warn-soft: #33290f; } }
main { max-width: 1240px; padding-top: 32px; }
[hidden] { display: none !important; }
header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: end; gap: 8px 24px; }
header h1 { margin: 0; }
header p { margin: 0; }
.controls { display: flex; flex-wrap: wrap; align-items: center; gap: 12px; font-variant-numeric: tabular-nums; }
h2 { margin: 40px 0 14px; }
h3 { font-size: 15px; margin: 20px 0 8px; }
.lead { font-size: 14px; }
.tiles { margin: 0 0 14px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 12px 32px; }
td, th { padding: 6px 10px; }
td.n, #traffic td { white-space: nowrap; }
@media (max-width: 560px) { table { font-size: 14px; } td, th { padding: 6px; } }
.plots { grid-template-columns: repeat(auto-fill, minmax(min(320px, 100%), 1fr)); gap: 16px; margin: 16px 0 20px; }
.plots figure { padding: 14px 14px 8px; }
figcaption { font-size: 13px; font-weight: 600; margin-bottom: 6px; }
.plots svg { font-size: 12px; max-height: 240px; }
svg text { fill: var(--ink); }
svg .tick { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--grid); fill: none; }
svg .zero { stroke: var(--soft); stroke-width: 1.5; fill: none; }
svg .span { stroke-width: 3; fill: none; stroke-linecap: round; opacity: .55; }
svg .line { stroke-width: 2; fill: none; stroke-linejoin: round; }
svg .mark { stroke: var(--paper); stroke-width: 1.5; }
.s0 { stroke: var(--series-0); } .s1 { stroke: var(--series-1); } .s2 { stroke: var(--series-2); } .s3 { stroke: var(--series-3); } .s7 { stroke: var(--series-7); }
.mark.s0 { fill: var(--series-0); } .mark.s1 { fill: var(--series-1); } .mark.s2 { fill: var(--series-2); } .mark.s3 { fill: var(--series-3); } .mark.s7 { fill: var(--series-7); }
.line.s1 { stroke-dasharray: 7 4; } .line.s2 { stroke-dasharray: 10 3 2 3; } .line.s3 { stroke-dasharray: 4 3; } .line.s7 { stroke-dasharray: 2 3; }
.alerts, .verdicts { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px; }
.alerts li { border-left: 4px solid; border-radius: 6px; padding: 9px 14px; }
.alerts .error { border-color: var(--bad); background: var(--bad-soft); }
.alerts .warning { border-color: var(--warn); background: var(--warn-soft); }
.alerts .error b { color: var(--bad); }
.alerts .warning b { color: var(--warn); }
.well { margin: 0; color: var(--good); }
.verdicts span { display: inline-block; width: 1.4em; color: var(--soft); }
.verdicts .better span { color: var(--good); }
.verdicts .worse span { color: var(--bad); }
button, input { font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--soft); border-radius: 8px; padding: 6px 14px; min-height: 36px; }
button { cursor: pointer; }
button[aria-pressed="true"] { background: var(--accent-soft); border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); }
form { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; margin-bottom: 12px; }
form label { flex-basis: 100%; }
form input { flex: 1 1 280px; max-width: 560px; min-width: 0; }
details { margin-top: 8px; }
summary { cursor: pointer; color: var(--soft); }
`;
