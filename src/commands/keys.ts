import { resolve } from 'node:path';
import { z } from 'zod';
import { path } from '../config/fields.js';
import { RecsysError } from '../errors.js';
import { createPseudonymKey, rotatePseudonymKey } from '../online/privacy/pseudonym-key.js';
import { createKey, revokeKey } from '../online/security/administration.js';
import { isValid, readKeys, SCOPES, type StoredKey } from '../online/security/keys.js';
import { defineStage, type StageResult, type StageRun } from './stage.js';
import { textTable } from './table.js';

const schema = z.strictObject({
  action: z.enum(['create', 'list', 'revoke', 'pseudonym', 'rotate']).describe('what to do'),
  id: z.string().optional().describe('revoke: the key; pseudonym, rotate: the file'),
  keys: path(
    'key file, `security.keys` of the service; absent: keys.json in the working directory',
  ).optional(),
  name: z.string().min(1).max(100).default('unnamed').describe('create: whose key it is'),
  scopes: z
    .array(z.enum(SCOPES))
    .min(1)
    .default(['read', 'write'])
    .describe('create: what it may: read lists and states, write events, admin'),
  days: z.number().positive().max(36_500).optional().describe('create: days until it expires; absent: never'),
});
type Run = StageRun<z.output<typeof schema>>;

/** `recsys serve-online keys create|list|revoke|pseudonym|rotate` */
export default defineStage({
  name: 'keys',
  describe: 'make, list or revoke the API keys of a service; make a key for pseudonyms, or another after it',
  schema,
  flags: {
    keys: { key: 'keys', describe: 'key file (default: keys.json)', type: 'string' },
    name: { key: 'name', describe: 'create: whose key it is', type: 'string' },
    scope: {
      key: 'scopes',
      describe: 'create: what it may; read, write or admin, repeatable (default: read and write)',
      type: 'strings',
    },
    days: { key: 'days', describe: 'create: days until it expires (default: never)', type: 'number' },
  },
  positionals: [
    {
      name: 'action',
      key: 'action',
      describe:
        'create: make a key and print it, this once; list: say which there are; revoke: refuse one from now on; pseudonym: make a key that users’ ids are pseudonymised with; rotate: add another to it, by which a service renames its users at its next start',
      required: true,
      choices: ['create', 'list', 'revoke', 'pseudonym', 'rotate'],
    },
    { name: 'id', key: 'id', describe: 'revoke: the key; pseudonym, rotate: the file' },
  ],
  async run(run) {
    const start = performance.now();
    const file = run.config.keys ?? resolve(run.invocation.cwd, 'keys.json');
    const result = await ACTIONS[run.config.action](file, run);
    return { path: file, ...result, seconds: (performance.now() - start) / 1000 };
  },
});

const ACTIONS = { create, list, revoke, pseudonym, rotate } satisfies Record<
  Run['config']['action'],
  (file: string, run: Run) => Promise<Omit<StageResult, 'seconds'>>
>;

async function create(file: string, { config: { name, scopes, days }, log }: Run) {
  const { key, token } = await createKey(file, { name, scopes, days });
  log(
    'info',
    `made key ${key.id} (${name}: ${scopes.join(', ')}); it is shown this once, and ${file} holds its hash alone`,
  );
  return { ...shown(key), token, text: token };
}

async function list(file: string) {
  const keys = (await readKeys(file)).map(shown);
  const rows = keys.map(({ id, name, scopes, created, expires, status }) => [
    id,
    name,
    scopes.join(', '),
    created.slice(0, 10),
    expires?.slice(0, 10) ?? '–',
    status,
  ]);
  const text = textTable(['id', 'name', 'scopes', 'created', 'expires', 'status'], rows);
  return { keys, text: keys.length === 0 ? 'no keys' : text };
}

async function revoke(file: string, { config: { id } }: Run) {
  if (id === undefined)
    throw new RecsysError('USAGE', 'which key? `recsys serve-online keys revoke <id>`', {
      remedy: 'See `recsys serve-online keys list` for the ids.',
    });
  const key = await revokeKey(file, id);
  return { ...shown(key), text: `revoked ${id} (${key.name}); running services refuse it within a second` };
}

async function pseudonym(_keys: string, run: Run) {
  const file = pseudonymFile(run, 'to', 'Choose one outside the state directory of the service.');
  const id = await createPseudonymKey(file);
  return { path: file, id, text: `${file}\nkeep a copy: without it no user is found again` };
}

async function rotate(_keys: string, run: Run) {
  const file = pseudonymFile(
    run,
    'in',
    'Name the one that `privacy.pseudonyms.keyFile` of the service names.',
  );
  const { id, keys } = await rotatePseudonymKey(file);
  return {
    path: file,
    id,
    keys,
    text: `${file}\nholds ${keys} keys, all of which are needed; services rename their users at their next start`,
  };
}

function pseudonymFile({ config, invocation }: Run, where: string, remedy: string): string {
  const { action, id: name } = config;
  if (name !== undefined) return resolve(invocation.cwd, name);
  throw new RecsysError('USAGE', `${where} which file? \`recsys serve-online keys ${action} <file>\``, {
    remedy,
  });
}

/** A key without the hash of its secret. */
function shown({ sha256: _, ...key }: StoredKey) {
  const status = isValid(key as StoredKey, Date.now())
    ? 'valid'
    : key.revoked === undefined
      ? 'expired'
      : 'revoked';
  return { ...key, status };
}
