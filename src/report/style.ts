/** The report's style sheet. No font, picture or script comes from elsewhere. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1c2127; --soft: #626b76; --line: #e3e6ea; --raised: #f6f7f9; --grid: #e8eaee;
  --accent: #2456c7; --accent-soft: #e9effb; --good: #14713d;
  --series-0: #2f66d8; --series-1: #d9622b; --series-2: #1f9163; --series-3: #a24bb5;
  --series-4: #b3860b; --series-5: #0f8aa5; --series-6: #cf3f6f; --series-7: #6f7783;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e4e8ed; --soft: #98a2ae; --line: #2b3138; --raised: #1c2026; --grid: #2a2f36;
    --accent: #86acff; --accent-soft: #1d2a44; --good: #6ad397;
    --series-0: #7ea6ff; --series-1: #ff9a63; --series-2: #5fd0a0; --series-3: #d591e6;
    --series-4: #e6bd4f; --series-5: #5ccbe4; --series-6: #ff86ac; --series-7: #a7b0bc;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 48px 28px 64px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -.015em; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 18px; letter-spacing: -.005em; margin: 52px 0 16px; }
p { margin: 0 0 12px; max-width: 72ch; }
.lead { color: var(--soft); font-size: 16px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 12px; margin: 28px 0 0; padding: 0; list-style: none; }
.tiles li { background: var(--raised); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tiles b { display: block; font-size: 21px; font-weight: 600; letter-spacing: -.01em; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: 13px; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(400px, 100%), 1fr)); gap: 20px; }
.plots figure { margin: 0; padding: 18px 18px 12px; border: 1px solid var(--line); border-radius: 12px; }
.plots svg { display: block; width: 100%; height: auto; max-height: 360px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 9px 14px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--soft); font-size: 13px; font-weight: 500; white-space: nowrap; border-bottom-color: var(--soft); }
th:first-child, td:first-child { padding-left: 2px; }
td.n, th.n { text-align: right; }
td small { display: block; color: var(--soft); font-size: 12px; font-weight: 400; white-space: nowrap; }
td.best { font-weight: 650; color: var(--good); }
tr.aside td { color: var(--soft); font-style: italic; }
.lineage { width: 100%; height: auto; display: block; }
.lineage rect { fill: var(--raised); stroke: var(--line); stroke-width: 1.5; }
.lineage .data rect { fill: var(--paper); stroke-dasharray: 4 3; stroke: var(--soft); }
.lineage .last rect { fill: var(--accent-soft); stroke: var(--accent); }
.lineage .gap rect { fill: none; stroke: none; }
.lineage text { fill: var(--soft); font-size: 12px; text-anchor: middle; }
.lineage .t { fill: var(--ink); font-size: 14px; font-weight: 600; }
.lineage .arrow { fill: none; stroke: var(--soft); stroke-width: 1.5; }
.lineage marker path { fill: var(--soft); }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; overflow-x: auto; font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 24px; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
footer { margin-top: 56px; padding-top: 16px; border-top: 1px solid var(--line); color: var(--soft); font-size: 13px; }
@media (max-width: 560px) { main { padding: 28px 16px 40px; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 8px; } }
@media print { main { max-width: none; padding: 0; } figure, tr, .lineage { break-inside: avoid; } }
`;
