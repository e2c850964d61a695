import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BINARY = join(ROOT, 'bin/recsys.js');

/** What a run of the binary left behind. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the real binary in a folder; its standard input is for the caller to end. */
export function start(
  args: readonly string[],
  cwd: string,
): { child: ChildProcessByStdio<Writable, Readable, Readable>; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [BINARY, ...args], { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  child.stdin.on('error', () => {});
  return { child, ended: new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr }))) };
}

/** Runs the real binary in a folder to its end. */
export function recsys(args: readonly string[], cwd: string, stdin = ''): Promise<Ended> {
  const { child, ended } = start(args, cwd);
  child.stdin.end(stdin);
  return ended;
}

/** The run ended with this code and said this, without a stack trace. */
export async function refused(code: number, text: RegExp, ended: Promise<Ended>): Promise<void> {
  const { code: found, stderr } = await ended;
  assert.equal(found, code, stderr);
  assert.match(stderr, text);
  assert.doesNotMatch(stderr, /\n\s+at /);
}
