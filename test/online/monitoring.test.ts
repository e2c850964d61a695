import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { startServer } from './fixtures.js';

const OPS = join(import.meta.dirname, '..', '..', 'ops');
/** Labels that Prometheus adds. */
const SCRAPED = ['job', 'instance'];
const metricSchema = z.object({ name: z.string(), type: z.string(), labelNames: z.array(z.string()) });
const alertsSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          annotations: z.object({ summary: z.string(), description: z.string() }),
        }),
      ),
    }),
  ),
});
const dashboardSchema = z.object({
  panels: z.array(
    z.object({
      id: z.number(),
      title: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).optional(),
    }),
  ),
});

const text = (name: string): string => readFileSync(join(OPS, name), 'utf8');
const rules = alertsSchema.parse(parse(text('alerts.yaml'))).groups.flatMap((group) => group.rules);
const { panels } = dashboardSchema.parse(JSON.parse(text('grafana.json')));

/** Every series a service tells of, with its labels. */
async function series(t: Parameters<typeof startServer>[0]): Promise<Map<string, readonly string[]>> {
  const { metrics } = await startServer(t);
  const told = new Map<string, readonly string[]>([['up', []]]);
  for (const metric of metrics.registry.getMetricsAsArray()) {
    const { name, type, labelNames } = metricSchema.parse(metric);
    told.set(name, labelNames);
    if (type !== 'histogram') continue;
    told.set(`${name}_bucket`, [...labelNames, 'le']);
    for (const part of ['sum', 'count']) told.set(`${name}_${part}`, labelNames);
  }
  return told;
}

/** What of an expression no service tells of. */
function strangers(expr: string, told: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const asked = new Set<string>();
  for (const [, name, matchers = ''] of expr.matchAll(/\b(recsys_\w+|up\b)(?:\{([^}]*)\})?/g)) {
    const labels = told.get(name!);
    if (labels === undefined) found.push(name!);
    for (const label of [...(labels ?? []), ...SCRAPED]) asked.add(label);
    for (const [, label] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
      if (![...(labels ?? []), ...SCRAPED].includes(label!)) found.push(`${name}{${label}}`);
  }
  if (asked.size === 0) found.push(`no series in ${expr}`);
  for (const [, labels] of expr.matchAll(/\bby \(([^)]*)\)/g))
    for (const label of labels!.split(',')) if (!asked.has(label.trim())) found.push(`by (${label.trim()})`);
  return found;
}

test('what asks for series that are not told is found', async (t) => {
  const told = await series(t);
  assert.deepEqual(strangers('sum by (route) (rate(recsys_learner_lag_events{state="x"}[5m]))', told), [
    'recsys_learner_lag_events{state}',
    'by (route)',
  ]);
  assert.deepEqual(strangers('recsys_nothing == 1', told), ['recsys_nothing']);
  assert.deepEqual(strangers('vector(1)', told), ['no series in vector(1)']);
});

test('alert rules ask for series and labels that a service tells', async (t) => {
  const told = await series(t);
  assert(rules.length > 5);
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, expr } of rules) assert.deepEqual(strangers(expr, told), [], alert);
});

test('so does the dashboard, in panels that do not overlap', async (t) => {
  const told = await series(t);
  const taken = new Set<string>();
  for (const { title, gridPos, targets = [] } of panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert(x < 24 && !taken.has(`${x},${y}`), title);
        taken.add(`${x},${y}`);
      }
    for (const { expr, legendFormat } of targets) {
      assert.deepEqual(strangers(expr, told), [], title);
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        const [, name] = /\b(recsys_\w+)/.exec(expr)!;
        assert(told.get(name!)!.includes(label!), `${title}: ${label}`);
      }
    }
  }
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
});
