import type { z } from 'zod';
import type { RequestDefect } from './replies.js';

type Issue = z.core.$ZodIssue;

/** What zod finds wrong with a request, in words for the client: which field of `value`, and what is wrong with it. */
export function defectOf(issue: Issue, value: unknown): RequestDefect {
  const parts = unfold(issue, []);
  const types = parts.flatMap((part) =>
    part.code === 'invalid_type' && part.path.length === issue.path.length ? [part.expected] : [],
  );
  // A branch of a union that takes values of this type says more than those that take others.
  const near = parts.find((part) => part.code !== 'invalid_type' || part.path.length > issue.path.length);
  const told = near ?? issue;
  const field = told.path.join('.') || 'body';
  if (told.code === 'unrecognized_keys') {
    return { field: [...told.path, told.keys.join(', ')].join('.'), message: 'is not a known field' };
  }
  if (told.code !== 'custom' && at(value, told.path) === undefined) return { field, message: 'is missing' };
  return { field, message: `is not valid: ${near?.message ?? `expected ${anyOf(types)}`}` };
}

/** A union's issue as the issues of its branches, with whole paths. */
function unfold(issue: Issue, prefix: readonly PropertyKey[]): Issue[] {
  const path = [...prefix, ...issue.path];
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ ...issue, path }];
  return issue.errors.flatMap((branch) => branch.flatMap((part) => unfold(part, path)));
}

/** The value at a path, or undefined. */
function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return here;
}

function anyOf(types: readonly string[]): string {
  const [last, ...others] = [...new Set(types)].reverse();
  return others.length === 0 ? `${last}` : `${others.reverse().join(', ')} or ${last}`;
}
