import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { shell } from '../../dashboard/shell.js';
import { DASHBOARD_STYLE } from '../../dashboard/style.js';

/** What the page's script is made of: compiled files of this package, served as they are. */
const MODULES = [
  'dashboard/alerts',
  'dashboard/charts',
  'dashboard/clicks',
  'dashboard/histogram',
  'dashboard/learner',
  'dashboard/page',
  'dashboard/parts',
  'dashboard/quality',
  'dashboard/scale',
  'dashboard/traffic',
  'dashboard/window',
  'protocol/metrics',
  'report/format',
  'report/table',
];
const BUILT = new URL('../../', import.meta.url);

/** The page at `/` that shows a service to a person. Open: there is no data in it, its script asks for that with the key it is given. */
export function dashboardRoutes(app: FastifyInstance, version: string): void {
  const open = { config: { access: 'open' }, schema: { hide: true } } as const;
  const page = shell(version);
  app.get('/', open, (_request, reply) => reply.type('text/html; charset=utf-8').send(page));
  app.get('/assets/dashboard/style.css', open, (_request, reply) =>
    reply.type('text/css; charset=utf-8').send(DASHBOARD_STYLE),
  );
  for (const name of MODULES)
    app.get(`/assets/${name}.js`, open, async (_request, reply) =>
      reply.type('text/javascript; charset=utf-8').send(await readFile(new URL(`${name}.js`, BUILT))),
    );
}
