import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, test } from 'node:test';
import { parse as parseYaml } from 'yaml';
import { blocksOf, PAGES, pageText, prose } from './blocks.js';
import { callsIn, flagsOfCommands } from './commands.js';
import { ROOT } from './formulas.js';

const flags = await flagsOfCommands();
const anyFlag = new Set([...flags.values()].flatMap((names) => [...names]));
const SHELL = new Set(['', 'bash', 'sh']);
/** Folders of the project that its pages name files of. */
const FOLDERS = /^(?:src|test|configs|docs|bench|scripts|bin|\.ci)\/[\w./-]*$/;
/** What belongs to one machine or to how the project is made, and not into its pages. */
const STRAY = [
  /(?<![\w.])\/(?:work|tmp|root|home)\b/,
  /registry\.npmjs|npmjs\.org|pypi\.org|pythonhosted|proxy\.golang|artifactory/i,
  /\bissues? #?\d/i,
];

const codeSpans = (file: string): string[] =>
  prose(file).flatMap((line) => [...line.matchAll(/`([^`]+)`/g)].map(([, code]) => code!));

/** The anchor GitHub gives a heading. */
const anchor = (heading: string): string =>
  heading
    .replaceAll('`', '')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const anchorsOf = (file: string): string[] =>
  prose(file).flatMap((line) => {
    const heading = /^#+ (.*)$/.exec(line);
    return heading ? [anchor(heading[1]!)] : [];
  });

for (const file of PAGES) {
  describe(file, () => {
    test('its links lead somewhere', () => {
      const links = prose(file).flatMap((line) =>
        [...line.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to]) => to!),
      );
      for (const link of links) {
        if (/^https?:/.test(link)) continue;
        const [path, fragment] = link.split('#');
        const target = path === '' ? file : normalize(join(dirname(file), path!));
        assert.ok(existsSync(join(ROOT, target)), `${file}: ${link}: there is no ${target}`);
        if (fragment !== undefined)
          assert.ok(anchorsOf(target).includes(fragment), `${file}: ${link}: ${target} has no such heading`);
      }
    });

    test('the files of the project that it names exist', () => {
      const made = blocksOf(file).map(({ text }) => /^(?:\/\/ |# )?(\S+)\n/.exec(text)?.[1]);
      for (const code of codeSpans(file).filter((one) => FOLDERS.test(one)))
        assert.ok(existsSync(join(ROOT, code)) || made.includes(code), `${file}: there is no ${code}`);
    });

    test('the commands and flags that it names exist', () => {
      const shell = blocksOf(file).filter(({ language }) => SHELL.has(language));
      const indented = prose(file).filter((line) => line.startsWith('    '));
      for (const code of [...shell.map(({ text }) => text), ...codeSpans(file), indented.join('\n')]) {
        for (const call of callsIn(code)) {
          const known = flags.get(call.command);
          assert.ok(known, `${file}: recsys ${call.command} is no command`);
          for (const flag of call.flags)
            assert.ok(known.has(flag), `${file}: recsys ${call.command} has no ${flag}\n${code}`);
        }
      }
      for (const code of codeSpans(file).filter((one) => /^--?[a-z]/.test(one))) {
        const flag = code.split(/[ =]/)[0]!;
        assert.ok(anyFlag.has(flag), `${file}: no command has ${flag}`);
      }
    });

    test('its YAML and JSON can be read', () => {
      for (const { language, text, line } of blocksOf(file)) {
        const where = `${file}:${line}`;
        if (language === 'yaml') assert.doesNotThrow(() => parseYaml(text), where);
        if (language === 'json') assert.doesNotThrow(() => JSON.parse(text), where);
      }
    });

    test('it speaks of the project alone', () => {
      pageText(file)
        .split('\n')
        .forEach((line, at) => {
          for (const stray of STRAY) assert.doesNotMatch(line, stray, `${file}:${at + 1}`);
        });
    });
  });
}

test('every page of docs/ is reached from the README', () => {
  const readme = pageText('README.md');
  for (const file of PAGES.filter((one) => one.startsWith('docs/')))
    assert.ok(readme.includes(`(${file})`), file);
});

test('the README and bench/README.md show the same figures', () => {
  const figures = ['README.md', 'bench/README.md'].map(
    (file) => /<!-- board: ml100k -->\n([\s\S]*?)<!-- \/board -->/.exec(pageText(file))?.[1],
  );
  assert.match(figures[0] ?? '', /\| teacher +\|.*\d(?: ± \.\d+)? \[/);
  assert.equal(figures[1], figures[0]);
});

test('calls of recsys are found with their flags', () => {
  assert.deepEqual(
    callsIn(
      'recsys finetune -c a.yaml --from "$(recsys distill --set x=1 --teacher - |\n' +
        '  recsys evaluate --model=- \\\n  --json)"  # --not-this\nnode bin/recsys.js doctor --json | head -3\nrecsys <stage> --x',
    ),
    [
      { command: 'finetune', flags: ['-c', '--from'] },
      { command: 'distill', flags: ['--set', '--teacher'] },
      { command: 'evaluate', flags: ['--model', '--json'] },
      { command: 'doctor', flags: ['--json'] },
    ],
  );
});
