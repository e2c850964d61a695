import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RecsysClient } from '../../src/client/client.js';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { temporary } from '../online/fixtures.js';
import { caughtUp } from '../online/serve-fixture.js';
import { ROOT, recsys, refused, served, startService } from '../suites/binary.js';

const skip = existsSync(join(ROOT, 'dist/main.js')) ? false : 'not built (npm run build)';
const YAML = 'clicks: { enabled: true, positive: [buy], negative: [view], bits: 16 }\n';

test('the binary learns clicks, tells their probabilities, and a kill changes none', { skip }, async (t) => {
  const dir = await temporary(t);
  await writeTinyCheckpoint(join(dir, 'model'));
  await writeFile(join(dir, 'serve.yaml'), YAML);
  const flags = ['--config', 'serve.yaml'];
  const first = await startService(dir, 'state', flags);
  const client = new RecsysClient({ url: first.url });
  // Everyone buys items 1 to 20 and looks at the others; bob buys nothing.
  const events = Array.from({ length: 600 }, (_, n) => {
    const [user, item] = [Math.floor(n / 40) % 5, ((n * 7) % 40) + 1];
    return {
      id: n,
      user: user === 0 ? 'bob' : `u${user}`,
      item: `i${item}`,
      behaviour: item <= 20 && user > 0 ? 'buy' : 'view',
    };
  });
  await client.events(events);
  await caughtUp(first.url);
  const asked = ['i1', 'i30', 'gone'];
  const ann = await client.clicks('ann', asked);
  const bob = await client.clicks('bob', asked);
  const [liked, other] = ann.items.map(({ probability }) => probability);
  assert.deepEqual(
    [ann.user, ann.items.map(({ item }) => item), ann.unknown],
    ['ann', ['i1', 'i30'], ['gone']],
  );
  assert.ok(liked! > 0.5 && other! < 0.25 && other! > 0, `${liked} ${other}`);
  assert.ok(bob.items[0]!.probability < 0.4, `${bob.items[0]!.probability}`);
  // Below that of guessing.
  const loss = Number(/recsys_clicks_log_loss ([\d.]+)/.exec(await client.metrics())![1]);
  assert.ok(loss < Math.log(2), `${loss}`);
  client.close();
  first.child.kill('SIGKILL');
  await first.ended;
  const url = await served(t, dir, 'state', ...flags);
  const again = new RecsysClient({ url });
  t.after(() => again.close());
  await caughtUp(url);
  assert.deepEqual((await again.clicks('ann', asked)).items, ann.items);
  assert.deepEqual((await again.clicks('bob', asked)).items, bob.items);
});

test('settings that cannot work are told before anything is served', { skip }, async (t) => {
  const dir = await temporary(t);
  await writeTinyCheckpoint(join(dir, 'model'));
  const serve = (...settings: string[]) =>
    recsys(
      [
        ...['serve-online', '--model', 'model', '--state', 'state', '--port', '0', '--backend', 'cpu'],
        ...settings.flatMap((setting) => ['--set', setting]),
      ],
      dir,
    );
  await refused(2, /needs events with both labels/, serve('clicks.enabled=true'));
  await refused(
    2,
    /items have no attribute “genre”[\s\S]*Attributes of items in the model served: none/,
    serve('clicks.enabled=true', 'clicks.minimumValue=4', 'clicks.crosses=[[user, item.genre]]'),
  );
  await refused(
    2,
    /no behaviour “skip”[\s\S]*view, buy/,
    serve('clicks.enabled=true', 'clicks.positive=[buy]', 'clicks.negative=[skip]'),
  );
});
