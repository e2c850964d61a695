import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './formulas.js';

/** A fenced block of a Markdown file. */
export interface Block {
  readonly file: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** Whether `<!-- test -->` stands right before it: it is run. */
  readonly runs: boolean;
}

/** Markdown files of the project, relative to its root. */
export const PAGES: readonly string[] = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'bench/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll('\\', '/')}`),
];

export const pageText = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

export function blocksOf(file: string): Block[] {
  const blocks: Block[] = [];
  const lines = pageText(file).split('\n');
  let open: { line: number; language: string; body: string[] } | undefined;
  lines.forEach((text, index) => {
    if (!text.startsWith('```')) {
      open?.body.push(text);
      return;
    }
    if (open) {
      const before = lines[open.line - 2]?.trim() ?? '';
      const { line, language, body } = open;
      blocks.push({ file, line, language, text: `${body.join('\n')}\n`, runs: before === '<!-- test -->' });
      open = undefined;
    } else open = { line: index + 1, language: text.slice(3).trim(), body: [] };
  });
  return blocks;
}

/** The page without its fenced blocks, line by line (a fenced line is empty). */
export function prose(file: string): string[] {
  let fenced = false;
  return pageText(file)
    .split('\n')
    .map((text) => {
      if (text.startsWith('```')) {
        fenced = !fenced;
        return '';
      }
      return fenced ? '' : text;
    });
}
