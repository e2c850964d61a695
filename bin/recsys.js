#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`error: recsys needs Node 20.19 or newer; this is ${process.version}\n`);
  process.exit(5);
}
const main = new URL('../dist/main.js', import.meta.url);
if (!existsSync(fileURLToPath(main))) {
  process.stderr.write('error: recsys is not built yet\n  → Run `npm run build` in its folder.\n');
  process.exit(5);
}
await import(main.href);
