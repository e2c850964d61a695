import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { CATALOGUE, type ErrorCode, EXIT, RecsysError, remedyFor } from '../src/errors.js';

test('every code has its exit code and remedy', () => {
  for (const code of Object.keys(CATALOGUE) as ErrorCode[]) {
    const error = new RecsysError(code, 'what');
    assert.equal(error.exitCode, EXIT[CATALOGUE[code].kind]);
    assert.ok(error.remedy.length > 10 && error.remedy.endsWith('.'), code);
  }
  assert.deepEqual(EXIT, {
    ok: 0,
    internal: 1,
    usage: 2,
    data: 3,
    checkpoint: 4,
    environment: 5,
    interrupted: 130,
  });
});

test('a remedy names the stage it is for', () => {
  const { remedy } = new RecsysError('CONFIG_INVALID', 'wrong');
  assert.match(remedyFor(remedy, 'pretrain'), /`recsys config schema pretrain`/);
  assert.equal(remedyFor('Do this.', 'pretrain'), 'Do this.');
});

test('a remedy of its own and a cause', () => {
  const cause = new Error('inner');
  const error = new RecsysError('DISK', 'full', { remedy: 'Do this.', cause });
  assert.equal(error.remedy, 'Do this.');
  assert.equal(error.cause, cause);
  assert.equal('cause' in new RecsysError('DISK', 'full'), false);
});

const DOCS = new URL('../docs/errors.md', import.meta.url);
const TABLE = /(<!-- catalogue -->\n)[\s\S]*?(<!-- \/catalogue -->)/;

/** The catalogue as docs/errors.md shows it. */
function table(): string {
  const rows = (Object.keys(CATALOGUE) as ErrorCode[]).map((code) => {
    const { kind, remedy } = CATALOGUE[code];
    return `| \`${code}\` | ${EXIT[kind]} | ${remedy.replaceAll('|', '\\|')} |`;
  });
  return ['| code | exit | what to do |', '| --- | --- | --- |', ...rows, ''].join('\n');
}

test('docs/errors.md lists the catalogue (RECSYS_UPDATE=1 rewrites it)', async () => {
  const text = await readFile(DOCS, 'utf8');
  const wanted = text.replace(TABLE, (_all, before: string, after: string) => `${before}${table()}${after}`);
  assert.match(text, TABLE);
  if (process.env.RECSYS_UPDATE === '1') await writeFile(DOCS, wanted);
  else assert.equal(text, wanted);
});

test('exit codes in docs/errors.md', async () => {
  const text = await readFile(DOCS, 'utf8');
  for (const code of Object.values(EXIT)) assert.match(text, new RegExp(`^\\| ${code} +\\| `, 'm'));
});
