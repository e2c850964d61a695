import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BINARY = join(ROOT, 'bin/recsys.js');

/** What a run of the binary left behind. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that was started; its standard input is for the caller to end. */
export interface Started {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly ended: Promise<Ended>;
}

/** Starts a program in a folder. @param env added to this process's environment */
export function startProgram(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Started {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  child.stdin.on('error', () => {});
  return { child, ended: new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr }))) };
}

/** Starts the real binary in a folder. @param env added to this process's environment */
export const start = (
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Started => startProgram(process.execPath, [BINARY, ...args], cwd, env);

/** Runs the real binary in a folder to its end. */
export function recsys(args: readonly string[], cwd: string, stdin = ''): Promise<Ended> {
  const { child, ended } = start(args, cwd);
  child.stdin.end(stdin);
  return ended;
}

/** A service over a state directory, beside the checkpoint `model`. */
export const serving = (state: string, backend = 'cpu'): string[] =>
  ['serve-online', '--model', 'model', '--state', state].concat(['--port', '0', '--backend', backend]);

/**
 * Starts the real service in a folder that has a checkpoint `model`; resolves when it answers requests, or when it ended before: then `url` is empty.
 * @param state state directory, from the folder
 */
export async function startService(
  dir: string,
  state: string,
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  backend?: string,
) {
  const ready = join(dir, `${basename(state)}.ready.json`);
  await rm(ready, { force: true });
  const { child, ended } = start([...serving(state, backend), '--ready-file', ready, ...more], dir, env);
  while (!existsSync(ready) && child.exitCode === null && child.signalCode === null) await sleep(20);
  const address = existsSync(ready)
    ? (JSON.parse(await readFile(ready, 'utf8')) as { url: string; pid: number })
    : undefined;
  return { child, ended, url: address?.url ?? '', pid: address?.pid };
}

/** A service that answers; its address. Stopped after the test, and must have ended well. */
export async function served(t: TestContext, dir: string, state: string, ...more: string[]): Promise<string> {
  const { child, ended, url } = await startService(dir, state, more);
  t.after(async () => {
    child.kill('SIGTERM');
    const late = sleep(15_000, 'late', { ref: false });
    if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL');
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr);
  });
  if (url === '') throw new Error((await ended).stderr);
  return url;
}

/** The run ended with this code and said this, without a stack trace. */
export async function refused(code: number, text: RegExp, ended: Promise<Ended>): Promise<void> {
  const { code: found, stderr } = await ended;
  assert.equal(found, code, stderr);
  assert.match(stderr, text);
  assert.doesNotMatch(stderr, /\n\s+at /);
}
