import { stringify } from 'yaml';
import type { Shape } from './shape.js';
import { alternatives } from './shape.js';

const WIDTH = 100;

/**
 * A commented YAML that lists every key of a schema: required ones to fill in, the others commented out with their
 * defaults (`#key: value`; prose has a space after the `#`).
 */
export function starterYaml(name: string, shape: Shape): string {
  const lines = [
    `# Settings of \`recsys ${name}\`. Keys after a # show their defaults (optional ones an example); paths are relative to this file.`,
  ];
  properties(shape, shape, '', false, lines);
  return `${lines.join('\n')}\n`;
}

/** `off`: the enclosing mapping is itself commented out. */
function properties(shape: Shape, root: Shape, indent: string, off: boolean, lines: string[]): void {
  for (const [key, inner] of Object.entries(shape.properties ?? {})) {
    const required = shape.required?.includes(key) ?? false;
    const mark = off || !required ? '#' : '';
    if (inner.const === undefined) lines.push('', ...comment(describe(inner, required, root), indent));
    const mapping = nested(inner, root);
    if (mapping === undefined) {
      lines.push(`${mark}${indent}${key}: ${value(inner, root)}`);
      continue;
    }
    lines.push(`${mark}${indent}${key}:`);
    properties(mapping, root, `${indent}  `, mark !== '', lines);
  }
}

/** The mapping a key holds: for a union of mappings the default's, else the first. */
function nested(shape: Shape, root: Shape): Shape | undefined {
  const options = alternatives(shape, root);
  const first = options[0];
  return first?.type === 'object' && first.properties !== undefined ? first : undefined;
}

function describe(shape: Shape, required: boolean, root: Shape): string {
  const parts: string[] = [];
  const description =
    shape.description ??
    alternatives(shape, root).find((option) => option.description !== undefined)?.description;
  if (description !== undefined) parts.push(description);
  const choices = alternatives(shape, root).flatMap((option) => option.enum ?? []);
  if (choices.length > 0) parts.push(`one of ${choices.map(scalar).join(', ')}`);
  const kinds = alternatives(shape, root).flatMap(constants);
  if (kinds.length > 1) parts.push(`alternatives: ${[...new Set(kinds)].join(', ')}`);
  if (required) parts.push('required');
  else if (shape.default === undefined) parts.push('optional');
  return parts.join('; ');
}

function constants(shape: Shape): string[] {
  return Object.entries(shape.properties ?? {}).flatMap(([key, inner]) =>
    inner.const === undefined ? [] : [`${key}: ${scalar(inner.const)}`],
  );
}

function value(shape: Shape, root: Shape): string {
  if (shape.default !== undefined) return scalar(shape.default);
  const option = alternatives(shape, root)[0] ?? {};
  if (option.enum !== undefined) return scalar(option.enum[0]);
  if (option.const !== undefined) return scalar(option.const);
  if (option.type === 'array') return '[]';
  if (option.type === 'object') return '{}';
  if (option.type === 'boolean') return 'false';
  if (option.type === 'number' || option.type === 'integer')
    return typeof option.minimum === 'number' ? String(option.minimum) : '1';
  return option.format === 'path' ? './…' : '…';
}

function scalar(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

function comment(text: string, indent: string): string[] {
  if (text === '') return [];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + word.length + 1 > WIDTH) {
      lines.push(`${indent}# ${line}`);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, `${indent}# ${line}`];
}
