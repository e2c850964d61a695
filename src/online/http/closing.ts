import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Hangs up, when the server closes, on clients that have asked nothing on a connection yet. Browsers open such connections in advance, and Node would
 * wait for them without end, as it would for those who do not read what they asked for.
 * @param most milliseconds that answers under way may still take
 */
export function hangUpOnClose(app: FastifyInstance, tls: boolean, most: number): void {
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
    const late = setTimeout(() => app.server.closeAllConnections(), most).unref();
    app.server.once('close', () => clearTimeout(late));
  });
}
