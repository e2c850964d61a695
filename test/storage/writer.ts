/** Run as a child process by the tests that kill it: node --import tsx writer.ts <path> hang|replace|snapshots */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withOutputDirectory } from '../../src/storage/atomic.js';
import { saveSnapshot } from '../../src/storage/snapshot.js';

const [out = '', mode] = process.argv.slice(2);
const ready = () => process.stdout.write('ready\n');

if (mode === 'hang') {
  await withOutputDirectory(out, { force: true, resume: false }, async (partial) => {
    await saveSnapshot(partial, { tensors: new Map(), optimizer: new Map(), progress: 1 });
    await writeFile(join(partial, 'manifest.json'), 'half');
    ready();
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  });
} else {
  for (let n = 1; ; n++) {
    if (mode === 'replace') {
      await withOutputDirectory(out, { force: true, resume: false }, async (partial) => {
        for (const name of ['a', 'manifest.json', 'b'])
          await writeFile(join(partial, name), `${process.pid} ${n}`);
      });
    } else {
      const tensors = new Map([
        ['w', { dtype: 'F32' as const, shape: [1000], data: new Float32Array(1000).fill(n) }],
      ]);
      await saveSnapshot(out, { tensors, optimizer: tensors, progress: { n } });
    }
    if (n === 1) ready();
  }
}
