import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

type Handler = (response: ServerResponse, request: IncomingMessage) => void;

/** A server that answers the n-th request by the n-th handler, and all further ones by the last; closed after the test. */
export async function misbehaving(t: TestContext, ...handlers: readonly Handler[]) {
  const seen = { requests: [] as { at: number; request: IncomingMessage }[], sockets: 0, open: 0, most: 0 };
  const server = createServer((request, response) => {
    seen.requests.push({ at: performance.now(), request });
    handlers[Math.min(seen.requests.length, handlers.length) - 1]!(response, request);
  });
  server.on('connection', (socket) => {
    seen.sockets++;
    seen.most = Math.max(seen.most, ++seen.open);
    socket.on('close', () => seen.open--);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** Answers with JSON. */
export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Handler =>
  (response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(body));

export const refused = (status: number, code: string, headers: Record<string, string> = {}): Handler =>
  json(status, { code, message: `it is ${code}`, remedy: 'Wait.', requestId: 'r1' }, headers);

export const RECEIPTS = {
  accepted: 1,
  duplicates: 0,
  durability: 'always',
  events: [{ id: 'a', status: 'accepted', seq: 1 }],
};
