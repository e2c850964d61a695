/**
 * `npm run quickstart`: set up, then the whole road on generated data (teacher, student, tuning, one table), then a live service
 * that learns from a new user. Flags go to `recsys run`: `npm run quickstart -- --backend wasm`.
 *
 * What is up to date is skipped, so a second run only shows the table and the live service again.
 */
import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { demonstrate } from './live.mjs';
import { ROOT, seconds } from './project.mjs';
import { setup } from './setup.mjs';

const BINARY = join(ROOT, 'bin', 'recsys.js');
const flags = process.argv.slice(2);

/** The value of a flag that was passed on. */
function flag(name) {
  const at = flags.findIndex((one) => one === `--${name}` || one.startsWith(`--${name}=`));
  if (at < 0) return undefined;
  return flags[at].includes('=') ? flags[at].slice(name.length + 3) : flags[at + 1];
}

async function quickstart() {
  await setup();
  const start = performance.now();
  const args = ['run', 'configs/quickstart/pipeline.yaml', '--json', ...flags];
  const { status, stdout } = spawnSync(process.execPath, [BINARY, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) return status ?? 1;
  const { stages, rows } = JSON.parse(stdout);
  const { comparison } = await import('./quickstart-table.mjs');
  const { renderTable } = await import(pathToFileURL(join(ROOT, 'dist', 'report', 'table.js')).href);
  const { users } = stages.find(({ id }) => id === 'dataset').metrics;
  const say = (text) => process.stdout.write(`${text}\n`);
  say(
    `\nWhat comes into the basket next, in a shop of ${users.toLocaleString('en-US')} users; one test set for every row\n`,
  );
  say(renderTable(comparison(rows)));
  const skipped = stages.filter((stage) => stage.skipped).length;
  const done = skipped === 0 ? '' : ` (${skipped} of ${stages.length} stages were up to date)`;
  say(`\npipeline: ${seconds(start)}${done}\n`);
  const path = (id) => stages.find((stage) => stage.id === id).path;
  await demonstrate({
    binary: BINARY,
    model: path('tuned'),
    raw: path('raw'),
    state: join(path('tuned'), '..', 'live'),
    backend: flag('backend'),
    say,
  });
  say(`\nreport:  ${relative(ROOT, join(path('evaluation'), 'report.html'))}`);
  say(`explain: node bin/recsys.js inspect ${relative(ROOT, path('tuned'))}`);
  return 0;
}

try {
  process.exitCode = await quickstart();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
