import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  brokenEdges,
  codeOf,
  cycles,
  importsOf,
  type Rules,
  readTree,
  roomOf,
  strayPackages,
  type Tree,
  uses,
} from './architecture.js';

const LEAVES = ['errors', 'types', 'random', 'nearest', 'config/fields'];
const FLOOR = [...LEAVES, 'compute', 'storage'];
const MIDDLE = [...FLOOR, 'model', 'data'];

/** What each room may import: main → cli → commands → traffic → training, evaluation, online, export, report, client → model, data → compute, storage → protocol, leaves. */
const RULES: Rules = {
  main: ['cli', 'commands', 'errors'],
  cli: ['commands', 'config', ...LEAVES],
  commands: [
    'config',
    'training',
    'evaluation',
    'online',
    'export',
    'report',
    'traffic',
    'client',
    ...MIDDLE,
  ],
  config: LEAVES,
  training: ['evaluation', ...MIDDLE],
  evaluation: MIDDLE,
  online: ['dashboard', 'protocol', ...MIDDLE],
  dashboard: ['protocol', 'report'],
  traffic: ['client', 'protocol', 'online', ...MIDDLE],
  client: ['protocol', 'random'],
  export: MIDDLE,
  report: MIDDLE,
  model: FLOOR,
  data: FLOOR,
  compute: LEAVES,
  storage: LEAVES,
  protocol: [],
  'config/fields': [],
  errors: [],
  types: [],
  random: [],
  nearest: [],
};

/** Packages that one room keeps to itself, so that it can be replaced there. */
const OWNERS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^@tensorflow\/tfjs-(node|backend)/, ['compute']],
  [/^@tensorflow\/tfjs$/, ['compute']],
  [/^(ora|pino|pino-pretty)$/, ['commands']],
  [/^yargs$/, ['cli']],
  [/^@duckdb\//, ['data', 'commands']],
  [
    /^node:/,
    [
      'main',
      'cli',
      'commands',
      'config',
      'training',
      'evaluation',
      'online',
      'traffic',
      'client',
      'export',
      'report',
      'data',
      'compute',
      'storage',
    ],
  ],
];

/** The product's entry, and the program that a child process runs to try out the native backend. */
const PROGRAMS = ['main.ts', 'compute/native/probe.ts'];
/** The cli reads the terminal's width. */
const PRINTERS = [...PROGRAMS, 'cli/arguments.ts'];

/** API keys must not repeat with a seed. */
const SECRETS = 'online/security/token.ts';

const tree = readTree(fileURLToPath(new URL('../src', import.meta.url)));
const imports = importsOf(tree);

test('imports follow the rooms', () => {
  assert.deepEqual(brokenEdges(imports, RULES), []);
});

test('every room has a rule', () => {
  assert.deepEqual(
    [...new Set([...tree.keys()].map((file) => roomOf(file, RULES)))].filter(
      (room) => RULES[room] === undefined,
    ),
    [],
  );
});

test('no cycles between files, type imports included', () => {
  assert.deepEqual(cycles(imports), []);
});

test('packages stay in the rooms that own them', () => {
  assert.deepEqual(strayPackages(imports, OWNERS, RULES), []);
});

test('only programs set the exit code', () => {
  assert.deepEqual(
    uses(tree, /\bprocess\s*\.\s*exit(Code)?\b/, (file) => PROGRAMS.includes(file)),
    [],
  );
});

test('nothing prints but the commands; results and progress have their own streams', () => {
  assert.deepEqual(
    uses(tree, /\bconsole\s*\.|\bprocess\s*\.\s*(stdout|stderr)\b/, (file) => PRINTERS.includes(file)),
    [],
  );
});

test('randomness comes from random.ts alone; models know no clock', () => {
  assert.deepEqual(
    uses(tree, /\bMath\s*\.\s*random\b|\brandomBytes\b|\btf\s*\.\s*random/, (file) => SECRETS === file),
    [],
  );
  assert.deepEqual(
    uses(tree, /\bDate\b|\bperformance\b|\bprocess\b/, (file) => !file.startsWith('model/')),
    [],
  );
});

test('files stay small: one idea each', () => {
  const lengths = [...tree.values()].map((text) => text.split('\n').length).sort((a, b) => a - b);
  assert.ok(
    lengths[Math.floor(lengths.length / 2)]! <= 120,
    `median ${lengths[Math.floor(lengths.length / 2)]}`,
  );
  assert.deepEqual(
    [...tree].filter(([, text]) => text.split('\n').length > 400).map(([file]) => file),
    [],
  );
});

// The checks themselves, on a tree with known faults.

const faulty: Tree = new Map([
  [
    'model/a.ts',
    "import type { B } from '../data/b.js';\nimport { readFileSync } from 'node:fs';\nexport const a = Math.random();",
  ],
  ['data/b.ts', "export type { C } from './c.js';"],
  ['data/c.ts', "/* import x from '../training/x.js' */ const lazy = () => import(\n  './d.js'\n);"],
  ['data/d.ts', "import './b.js';\nprocess.exit(1); // console.log\n"],
  ['training/x.ts', "import { b } from '../data/b.js';\nconst text = 'console.log(Math.random())';"],
  ['errors.ts', "type T = import('./types.js').T;"],
]);

test('the checks see a broken edge, of type imports and inline types too', () => {
  assert.deepEqual(brokenEdges(importsOf(faulty), RULES), [
    'model/a.ts → data/b.ts: model must not import data',
    'errors.ts → types.ts: errors must not import types',
  ]);
});

test('the checks see a cycle through a re-export, a dynamic import and a side-effect import', () => {
  assert.deepEqual(cycles(importsOf(faulty)), ['data/b.ts ↔ data/c.ts ↔ data/d.ts']);
  assert.deepEqual(cycles(importsOf(new Map([['a.ts', "import './a.js'"]]))), ['a.ts']);
});

test('the checks see forbidden calls and packages, in code alone', () => {
  assert.deepEqual(
    uses(faulty, /Math\.random/, () => false),
    ['model/a.ts'],
  );
  assert.deepEqual(
    uses(faulty, /process\.exit/, () => false),
    ['data/d.ts'],
  );
  assert.deepEqual(
    uses(faulty, /console\./, () => false),
    [],
  );
  assert.deepEqual(strayPackages(importsOf(faulty), OWNERS, RULES), ['model/a.ts → node:fs']);
  assert.equal(codeOf("a // b\n/* c */ 'd//e'", true), "a  \n  'd//e'");
});
