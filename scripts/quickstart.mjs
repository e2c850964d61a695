/** `npm run quickstart`: set up, then the whole road on generated data: teacher, student, tuning, evaluation, live service. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './project.mjs';
import { setup } from './setup.mjs';

try {
  await setup();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
const args = [
  'run',
  'configs/quickstart/pipeline.yaml',
  '--out',
  'runs/quickstart',
  '--force',
  ...process.argv.slice(2),
];
const { status } = spawnSync(process.execPath, [join(ROOT, 'bin', 'recsys.js'), ...args], {
  cwd: ROOT,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
