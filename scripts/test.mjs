/** `npm test`: set up, check types, lint, build, run every test. Each step is named and timed; all run even when one fails. */
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { buildIfNeeded } from './build.mjs';
import { filesUnder, ROOT, readText, run, runTool, seconds } from './project.mjs';
import { setup } from './setup.mjs';

const outcomes = [];

async function step(name, work) {
  process.stderr.write(`\n== ${name}\n`);
  const start = performance.now();
  let ok = false;
  try {
    ok = await work();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
  }
  const outcome = `${ok ? 'ok' : 'FAILED'} (${seconds(start)})`;
  process.stderr.write(`== ${name}: ${outcome}\n`);
  outcomes.push({ name, ok, outcome });
  return ok;
}

const SKIPS = join(ROOT, '.cache', 'skipped.jsonl');

function runTests() {
  const wanted = process.argv.slice(2);
  const files = filesUnder(join(ROOT, 'test'))
    .filter((file) => /\.test\.ts$/.test(file))
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .map((file) => relative(ROOT, file));
  if (files.length === 0) {
    process.stderr.write('no test file fits\n');
    return false;
  }
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  const args = ['--import', 'tsx', '--test', `--test-concurrency=${availableParallelism()}`];
  args.push('--test-reporter=spec', '--test-reporter-destination=stdout');
  args.push('--test-reporter=./scripts/skipped.mjs', `--test-reporter-destination=${SKIPS}`);
  return run(process.execPath, [...args, ...files], { stdout: 1 }) === 0;
}

function listSkips() {
  const lines = (readText(SKIPS) ?? '').split('\n').filter(Boolean);
  process.stderr.write(lines.length === 0 ? '\nno test was skipped\n' : `\nskipped (${lines.length}):\n`);
  for (const line of lines) {
    const { name, file, reason } = JSON.parse(line);
    process.stderr.write(
      `  ${file ? `${relative(ROOT, file)}: ` : ''}${name}${reason ? ` (${reason})` : ''}\n`,
    );
  }
}

const ready = await step('set-up', async () => {
  await setup();
  return true;
});
if (ready || readText(join(ROOT, 'node_modules', '.package-lock.json')) !== undefined) {
  await step('types', () => runTool('typescript/bin/tsc', ['-p', 'tsconfig.test.json']) === 0);
  await step('lint', () => runTool('@biomejs/biome/bin/biome', ['check', '.']) === 0);
  await step('build', () => buildIfNeeded() !== 'failed');
  await step('tests', runTests);
  listSkips();
}

process.stderr.write(`\n${outcomes.map(({ name, outcome }) => `${name.padEnd(8)} ${outcome}`).join('\n')}\n`);
process.exitCode = outcomes.length > 1 && outcomes.every(({ ok }) => ok) ? 0 : 1;
