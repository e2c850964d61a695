import type { z } from 'zod';
import { didYouMean } from '../nearest.js';
import type { Key } from './yaml.js';

/** One thing wrong with a config: where, and what was expected and found. */
export interface Issue {
  readonly path: readonly Key[];
  readonly message: string;
  /** The place is the key (unknown key), not its value. */
  readonly at?: 'key';
}

type ZodIssue = z.core.$ZodIssue;

/** A value as messages show it. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  if (Array.isArray(value)) return text.length > 40 ? `a list of ${value.length}` : `the list ${text}`;
  if (typeof value === 'object' && value !== null) return 'a mapping';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** What zod found, in our words. Unknown keys are left to the shape check, which also suggests the nearest known one. */
export function explain(issues: readonly ZodIssue[], config: unknown): Issue[] {
  return issues.flatMap((issue) => one(issue, [], config));
}

function one(issue: ZodIssue, prefix: readonly Key[], config: unknown): Issue[] {
  const path = [...prefix, ...(issue.path as Key[])];
  const found = at(config, path);
  if (issue.code === 'unrecognized_keys') return [];
  if (issue.code === 'invalid_union') {
    if (issue.errors.length > 0) return union(issue.errors, path, config, found);
    const options = (issue as { options?: unknown[] }).options;
    const what = options === undefined ? 'another value' : anyOf(options.map(show));
    return [{ path, message: expected(what, found, options) }];
  }
  if (issue.code === 'custom') return [{ path, message: issue.message }];
  return [{ path, message: expected(wanted(issue), found, choices(issue)) }];
}

/** Of a union's branches, the one that got furthest; where none got into the value, what all of them wanted. */
function union(
  branches: readonly (readonly ZodIssue[])[],
  path: readonly Key[],
  config: unknown,
  found: unknown,
): Issue[] {
  const inside = branches.filter(
    (branch) => !branch.some((issue) => issue.path.length === 0 && issue.code === 'invalid_type'),
  );
  const best = [...inside].sort((a, b) => a.length - b.length)[0];
  if (
    best !== undefined &&
    !best.every((issue) => issue.path.length === 0 && issue.code === 'invalid_value')
  ) {
    return best.flatMap((issue) => one(issue, path, config));
  }
  const wishes = branches.map((branch) => (branch[0] === undefined ? 'another value' : wanted(branch[0])));
  const known = branches.flatMap((branch) => (branch[0] === undefined ? [] : choices(branch[0])));
  return [{ path, message: expected(anyOf([...new Set(wishes)]), found, known) }];
}

function expected(what: string, found: unknown, known: readonly unknown[] = []): string {
  if (found === undefined) return `missing; expected ${what}`;
  const words = known.filter((word) => typeof word === 'string');
  const meant = typeof found === 'string' ? didYouMean(found, words) : '';
  return `expected ${what}, found ${show(found)}${meant}`;
}

/** The values there are to choose from, where an issue is about a choice. */
function choices(issue: ZodIssue): readonly unknown[] {
  return issue.code === 'invalid_value' ? issue.values : [];
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  null: 'null',
};

const UNITS: Readonly<Record<string, string>> = { string: ' characters', array: ' entries', set: ' entries' };

function wanted(issue: ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES[issue.expected] ?? issue.expected;
    case 'too_small':
      if (issue.origin === 'string' && issue.minimum === 1) return 'a text that is not empty';
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${UNITS[issue.origin] ?? ''}`;
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${UNITS[issue.origin] ?? ''}`;
    case 'invalid_value':
      return anyOf(issue.values.map(show));
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return issue.pattern === undefined ? `the format ${issue.format}` : `a text like ${issue.pattern}`;
    default:
      return issue.message;
  }
}

function anyOf(options: readonly string[]): string {
  return options.length < 2
    ? (options[0] ?? 'nothing')
    : `${options.slice(0, -1).join(', ')} or ${options.at(-1)}`;
}

/** The value at a path, or undefined. */
export function at(value: unknown, path: readonly Key[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<Key, unknown>)[key];
  }
  return here;
}
