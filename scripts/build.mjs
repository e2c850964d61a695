/** src → dist: compiles with tsc, copies what is not TypeScript, and replaces dist only when that succeeded. */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { buildStamp, distIsCurrent, filesUnder, isMain, ROOT, runTool, sourcesHash } from './project.mjs';

/** Build; true on success. The compiler's messages go to stderr. */
export function build(root = ROOT) {
  const draft = join(root, 'dist.partial');
  const hash = sourcesHash(root);
  rmSync(draft, { recursive: true, force: true });
  // What runs in a browser is compiled apart: it knows the page, and nothing of Node.
  for (const project of ['tsconfig.json', 'tsconfig.page.json'].filter((name) =>
    existsSync(join(root, name)),
  )) {
    const args = ['-p', project, '--outDir', draft, '--noEmitOnError'];
    if (runTool('typescript/bin/tsc', args, { root }) === 0) continue;
    rmSync(draft, { recursive: true, force: true });
    return false;
  }
  const source = join(root, 'src');
  for (const file of filesUnder(source).filter((name) => !name.endsWith('.ts'))) {
    const target = join(draft, relative(source, file));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(file, target);
  }
  const dist = join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  renameSync(draft, dist);
  writeFileSync(buildStamp(root), hash);
  return true;
}

/** Build when the sources changed. Gives 'current', 'built' or 'failed'. */
export function buildIfNeeded(root = ROOT) {
  if (distIsCurrent(root)) return 'current';
  return build(root) ? 'built' : 'failed';
}

if (isMain(import.meta.url)) process.exitCode = build() ? 0 : 1;
