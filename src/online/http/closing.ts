import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Hangs up, when the server closes, on clients that have asked nothing on a connection yet. Browsers open such connections in advance, and Node would
 * wait for them without end.
 */
export function hangUpOnClose(app: FastifyInstance, tls: boolean): void {
  const silent = new Set<Socket>();
  let closing = false;
  app.server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    if (closing) return void socket.destroy();
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  app.server.on('request', ({ socket }: { readonly socket: Socket }) => silent.delete(socket));
  app.addHook('preClose', async () => {
    closing = true;
    for (const socket of silent) socket.destroy();
  });
}
