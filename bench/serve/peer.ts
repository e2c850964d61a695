import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Population } from './phases.js';

const SCRIPT = join(import.meta.dirname, '..', 'foreign', 'serve_peer.py');

export interface Peer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a peer of bench/foreign/serve_peer.py; resolves when it answers. Throws its last words when it does not start. */
export async function startPeer(python: string, model: string, of: Population): Promise<Peer> {
  const port = await freePort();
  const sizes = ['--users', String(of.users), '--items', String(of.items)];
  const child = spawn(python, [SCRIPT, model, '--port', String(port), ...sizes], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (chunk) => {
    words += String(chunk);
  });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null || tries > 600) throw new Error(`${model} did not start: ${words.trim()}`);
    const answer = await fetch(`${url}/v1/recommendations?user=p0`).catch(() => undefined);
    if (answer?.ok) break;
    await sleep(100);
  }
  return {
    url,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
