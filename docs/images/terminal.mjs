/**
 * What a command printed, as a picture. Refreshes the README's:
 *   node scripts/quickstart.mjs | node docs/images/terminal.mjs '$ npm run quickstart' > docs/images/quickstart.svg
 */
import { text } from 'node:stream/consumers';

const [LEFT, TOP, LINE, CHARACTER] = [24, 54, 19, 8.1];
const COLOURS = { text: '#d7dce5', dim: '#8b94a7', good: '#7ee0a3', bright: '#ffffff' };

const plain = (part) => part.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const span = (part, colour) => `<tspan fill="${COLOURS[colour]}">${plain(part)}</tspan>`;

/** A line in parts: what is new or best stands out, rules and notes stand back. */
function paint(line, index) {
  if (index === 0) return span(line, 'bright');
  if (/^[─ ]+$/.test(line) || /^(pipeline|report|explain):/.test(line)) return span(line, 'dim');
  return line
    .split(/(\S*\d\*|\+ .*$)/)
    .map((part, at) => (part === '' ? '' : span(part, at % 2 === 1 ? 'good' : 'text')))
    .join('');
}

const printed = (await text(process.stdin)).trim();
const lines = [...process.argv.slice(2), '', ...printed.split('\n')].map((line) => line.trimEnd());
const width = Math.ceil(2 * LEFT + CHARACTER * Math.max(...lines.map((line) => line.length)));
const height = TOP + LINE * lines.length + 8;
const rows = lines.map((line, index) => {
  if (line === '') return '';
  const size = `textLength="${(CHARACTER * line.length).toFixed(1)}" lengthAdjust="spacingAndGlyphs"`;
  return `<text x="${LEFT}" y="${TOP + LINE * index}" ${size} xml:space="preserve">${paint(line, index)}</text>`;
});
const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
  (colour, at) => `<circle cx="${LEFT + 18 * at}" cy="22" r="6" fill="${colour}"/>`,
);
process.stdout.write(
  `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"`,
    `  font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13.5">`,
    `<title>${plain(lines[0])}: what it prints</title>`,
    `<rect width="${width}" height="${height}" rx="10" fill="#161b26"/>`,
    ...dots,
    ...rows.filter((row) => row !== ''),
    '</svg>',
  ].join('\n')}\n`,
);
