import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'chromium-headless-shell',
  'chrome-headless-shell',
];

/** A Chromium of this machine: the one that RECSYS_CHROMIUM names, one on PATH, or one that playwright keeps. */
export function findChromium(): string | undefined {
  const { RECSYS_CHROMIUM: named, PATH = '', PLAYWRIGHT_BROWSERS_PATH: kept } = process.env;
  if (named) return named;
  const onPath = PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const cache = kept || join(homedir(), '.cache/ms-playwright');
  const ofPlaywright = (existsSync(cache) ? readdirSync(cache) : [])
    .filter((name) => name.startsWith('chromium'))
    .flatMap((name) => [
      join(cache, name, 'chrome-linux/chrome'),
      join(cache, name, 'chrome-linux/headless_shell'),
    ]);
  return [...onPath, ...ofPlaywright].find(existsSync);
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** One page of a headless Chromium, driven over a pipe by the Chrome DevTools Protocol. */
export class Browser {
  /** What went wrong in the page: errors on the console, exceptions, and what its policy refused. */
  readonly errors: string[] = [];
  /** Addresses that the page asked for. */
  readonly asked: string[] = [];
  private readonly waiting = new Map<number, (message: Message) => void>();
  private count = 0;
  private session: string | undefined;

  private constructor(
    private readonly child: ChildProcess,
    private readonly profile: string,
  ) {
    let text = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (text + chunk).split('\0');
      text = parts.pop()!;
      for (const part of parts) this.receive(JSON.parse(part));
    });
  }

  static async open(chromium: string): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), 'recsys-browser-'));
    // Everything is on this machine, and a container's root has no sandbox.
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
    ];
    const child = spawn(
      chromium,
      [...flags, '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    const browser = new Browser(child, profile);
    const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await browser.send('Target.attachToTarget', { targetId, flatten: true });
    browser.session = String(sessionId);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await browser.send(`${domain}.enable`);
    return browser;
  }

  /** A command of the protocol, and its result. */
  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.count;
    const message = {
      id,
      method,
      params,
      ...(this.session === undefined ? {} : { sessionId: this.session }),
    };
    (this.child.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    return new Promise((resolve, reject) =>
      this.waiting.set(id, ({ result, error }) =>
        error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result ?? {}),
      ),
    );
  }

  async goto(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** Waits until an expression holds in the page; throws with the page's text where it does not come to that. */
  async until(expression: string, seconds = 20): Promise<void> {
    for (const end = Date.now() + 1000 * seconds; Date.now() < end; await sleep(50))
      if (await this.evaluate<boolean>(`Boolean(${expression})`)) return;
    const text = await this.evaluate<string>('document.body.innerText');
    throw new Error(`never came: ${expression}\n${this.errors.join('\n')}\n${text}`);
  }

  async close(): Promise<void> {
    const ended = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGKILL');
    await ended;
    for (const pipe of this.child.stdio) pipe?.destroy();
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  private receive({ id, method, params = {}, ...rest }: Message): void {
    if (id !== undefined) {
      this.waiting.get(id)?.(rest);
      this.waiting.delete(id);
    }
    const said = JSON.stringify(params);
    if (method === 'Network.requestWillBeSent') this.asked.push((params.request as { url: string }).url);
    if (method === 'Runtime.exceptionThrown') this.errors.push(said);
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error') this.errors.push(said);
    if (method === 'Log.entryAdded' && (params.entry as { level: string }).level === 'error')
      this.errors.push(said);
  }
}
