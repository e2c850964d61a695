import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecsysClient } from '../../src/client/index.js';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { ROOT, recsys, served } from '../suites/binary.js';
import { Browser, findChromium } from '../suites/browser.js';

const built = existsSync(join(ROOT, 'dist/dashboard/page.js'));
const chromium = findChromium();
const inBrowser = {
  skip: chromium === undefined && 'no Chromium: neither RECSYS_CHROMIUM, nor on PATH, nor of playwright',
  timeout: 120_000,
};

describe('the dashboard', { skip: built ? false : 'not built (npm run build)' }, () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-dashboard-'));
    await writeTinyCheckpoint(join(dir, 'model'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  async function browse(t: TestContext): Promise<Browser> {
    const browser = await Browser.open(chromium!);
    t.after(() => browser.close());
    return browser;
  }

  test('every module of its script is there, as a script, and none beyond', async (t) => {
    const url = await served(t, dir, 'modules');
    const page = await (await fetch(`${url}/`)).text();
    const found = new Set(
      [...page.matchAll(/<script type="module" src="([^"]+)"/g)].map(([, path]) => path!),
    );
    assert.equal(found.size, 1);
    for (const path of found) {
      const reply = await fetch(`${url}/${path}`);
      assert.equal(reply.status, 200, path);
      assert.equal(reply.headers.get('content-type'), 'text/javascript; charset=utf-8');
      for (const [, from] of (await reply.text()).matchAll(/^(?:import|export)\b[^;]*?from '([^']+)'/gm))
        found.add(new URL(from!, `http://x/${path}`).pathname.slice(1));
    }
    const source = await readFile(join(ROOT, 'src/online/http/dashboard.ts'), 'utf8');
    const listed = [...source.matchAll(/'(\w+\/\w+)',$/gm)].map(([, name]) => `assets/${name}.js`);
    assert.deepEqual([...found].sort(), listed.sort());
  });

  test('a person sees what the service does', inBrowser, async (t) => {
    const browser = await browse(t);
    const url = await served(
      t,
      dir,
      'seen',
      '--set',
      'learning.user.rate=0.1',
      '--set',
      'learning.newItems=0',
    );
    const client = new RecsysClient({ url });
    t.after(() => client.close());
    const events = Array.from({ length: 60 }, (_, n) => ({
      id: `e${n}`,
      user: `u${n % 6}`,
      item: `i${((n * 7) % 40) + 1}`,
      behaviour: 'view',
    }));
    await client.events([...events, { id: 'x', user: 'u1', item: 'none such', behaviour: 'view' }]);
    for (let n = 0; n < 8; n++) await client.recommendations(`u${n}`, { k: 3 });
    while (!/^recsys_learner_lag_events 0$/m.test(await client.metrics())) await sleep(20);

    const text = () => browser.evaluate<string>('document.getElementById("figures").innerText');
    await browser.goto(`${url}/`);
    await browser.until('document.querySelectorAll("#quality svg").length === 6');
    assert.deepEqual(
      await browser.evaluate(
        '[...document.querySelectorAll("h2")].filter((h) => h.checkVisibility()).map((h) => h.innerText)',
      ),
      ['Alerts', 'Traffic', 'Quality now', 'Learner'],
    );
    const first = (await text()).replaceAll(/\s+/g, ' ');
    for (const part of [
      'All is well',
      '25 % fallback lists',
      'recommendations 200 – 8',
      'events 200 – 1',
      '6 users known',
    ])
      assert(first.includes(part), `${part}: ${first}`);
    assert.match(first, /learned – 60 skipped: unknown item – 1$/);
    assert.match(first, /What learning earned . adapted does .* frozen.* . learned does .* frozen/);
    const { arms, events: ranked } = await client.quality();
    assert(first.includes(`of ${ranked} events, each ranked before it was learned`), first);
    const labels = await browser.evaluate<string[]>(
      '[...document.querySelectorAll("#quality svg")].map((svg) => svg.getAttribute("aria-label"))',
    );
    for (const { arm, ndcg } of arms) {
      assert.match(labels[0]!, new RegExp(`${arm} ${ndcg.mean!.toFixed(4)} \\(`));
      assert.match(labels[5]!, new RegExp(`${arm} now ${ndcg.mean!.toFixed(4)}`));
    }

    // More traffic shows as rates, with the second reading.
    for (let n = 0; n < 20; n++) await client.recommendations('u1', { k: 3 });
    await browser.until('/[1-9][0-9.]*\\/s/.test(document.querySelector("#traffic .tiles li")?.innerText)');
    assert.match((await text()).replaceAll(/\s+/g, ' '), /recommendations 200 [1-9][\d.]*\/s 28/);

    // Paused, it asks no more.
    await browser.evaluate('document.getElementById("pause").click()');
    assert.equal(
      await browser.evaluate('document.getElementById("pause").getAttribute("aria-pressed")'),
      'true',
    );
    const asked = browser.asked.length;
    await sleep(6000);
    assert.equal(browser.asked.length, asked);
    await browser.evaluate('document.getElementById("pause").click()');
    await browser.until(`performance.getEntriesByName("${url}/metrics").length > 2`);

    // On a phone nothing is wider than the screen.
    await browser.send('Emulation.setDeviceMetricsOverride', {
      width: 360,
      height: 700,
      deviceScaleFactor: 1,
      mobile: true,
    });
    assert.equal(await browser.evaluate('document.documentElement.scrollWidth'), 360);
    assert(
      browser.asked.every(
        (address) => address.startsWith(`${url}/`) || address === 'data:,' || address === 'about:blank',
      ),
      `${browser.asked}`,
    );
    assert.deepEqual(browser.errors, []);
  });

  test('what goes wrong in a page is seen by these tests', inBrowser, async (t) => {
    const browser = await browse(t);
    const url = await served(t, dir, 'wrong');
    await browser.goto(`${url}/`);
    await browser.until('document.querySelector(".well")');
    assert.equal(browser.errors.length, 0, `${browser.errors}`);
    await browser.evaluate(
      'console.error("said"); document.body.setAttribute("style", "color: red"); fetch("v1/nothing"); 1',
    );
    for (const part of ['said', 'Content Security Policy', '404']) {
      for (let n = 0; n < 100 && !browser.errors.some((error) => error.includes(part)); n++) await sleep(50);
      assert(
        browser.errors.some((error) => error.includes(part)),
        `${part}: ${browser.errors}`,
      );
    }
  });

  test('with keys it asks for one, keeps it in the tab, and lets it be forgotten', inBrowser, async (t) => {
    const browser = await browse(t);
    const make = async (scope: string) => {
      const { code, stdout, stderr } = await recsys(
        ['serve-online', 'keys', 'create', '--scope', scope],
        dir,
      );
      assert.equal(code, 0, stderr);
      return stdout.trim();
    };
    const [read, write] = [await make('read'), await make('write')];
    const url = await served(t, dir, 'keyed', '--keys', 'keys.json');
    const visible = (id: string) => `(document.getElementById("${id}")?.checkVisibility() ?? false)`;
    const type = (key: string) =>
      browser.evaluate(
        `document.getElementById("key").value = ${JSON.stringify(key)}; document.querySelector("#ask button").click()`,
      );
    const refused = (text: string) =>
      browser.until(`document.getElementById("refusal")?.innerText.includes("${text}")`);
    await browser.goto(`${url}/`);
    await browser.until(visible('door'));
    await refused('answers only who has a key');
    assert.equal(await browser.evaluate(visible('figures')), false);
    assert.equal(await browser.evaluate('document.activeElement.id'), 'key');
    await type('no key');
    assert.equal(await browser.evaluate('sessionStorage.length'), 0, 'what cannot be a key is not sent');
    await type(`${read.slice(0, -4)}AAAA`);
    await refused('does not know this key');
    await type(write);
    await refused('lacks the scope');
    assert.equal(await browser.evaluate('sessionStorage.length'), 0, 'what is refused is not kept');
    await type(read);
    await browser.until(visible('figures'));
    assert.equal(await browser.evaluate(visible('door')), false);
    assert.deepEqual(
      await browser.evaluate('[location.href, document.cookie, localStorage.length, sessionStorage.length]'),
      [`${url}/`, '', 0, 1],
    );
    assert(!browser.asked.some((address) => address.includes('rsk_')));
    await browser.goto(`${url}/`);
    await browser.until(visible('figures'));
    await browser.evaluate('document.getElementById("forget").click()');
    assert.deepEqual(
      [
        await browser.evaluate(visible('figures')),
        await browser.evaluate('document.getElementById("learner").innerHTML'),
        await browser.evaluate('sessionStorage.length'),
      ],
      [false, '', 0],
    );
  });
});
