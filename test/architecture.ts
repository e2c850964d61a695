import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';

/** A source tree: text of each file by its path inside src, with forward slashes. */
export type Tree = ReadonlyMap<string, string>;

export interface Import {
  readonly from: string;
  /** A file of the tree, or a package. */
  readonly to: string;
  readonly local: boolean;
}

/** What each room may import besides itself; a file that is a room of its own stands with its name. */
export type Rules = Readonly<Record<string, readonly string[]>>;

/** Reads every .ts file under a folder. */
export function readTree(root: string): Tree {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return new Map(
    names.sort().map((name) => [name.split(sep).join('/'), readFileSync(join(root, name), 'utf8')]),
  );
}

const TOKEN = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/** The code without its comments; `strings: false` blanks texts too. */
export function codeOf(text: string, strings: boolean): string {
  return text.replaceAll(TOKEN, (_all, literal: string | undefined) =>
    literal === undefined ? ' ' : strings ? literal : "''",
  );
}

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|\brequire\s*\(\s*)(['"])([^'"]+)\1/g;

/** Every import of a tree: static, type-only, re-exports, side effects and dynamic ones. */
export function importsOf(tree: Tree): Import[] {
  return [...tree].flatMap(([from, text]) =>
    [...codeOf(text, true).matchAll(IMPORT)].map((match) => {
      const name = match[2]!;
      const local = name.startsWith('.');
      const to = local
        ? normalize(join(dirname(from), name))
            .split(sep)
            .join('/')
            .replace(/\.js$/, '.ts')
        : name;
      return { from, to, local };
    }),
  );
}

/** The room of a file: the rules' entry for the file itself, else its top folder or root file name. */
export function roomOf(file: string, rules: Rules): string {
  const plain = file.replace(/\.ts$/, '');
  if (Object.hasOwn(rules, plain)) return plain;
  return plain.split('/')[0]!;
}

/** Imports that no rule allows. */
export function brokenEdges(imports: readonly Import[], rules: Rules): string[] {
  return imports
    .filter((one) => one.local)
    .flatMap(({ from, to }) => {
      const [a, b] = [roomOf(from, rules), roomOf(to, rules)];
      if (a === b || rules[a]?.includes(b) === true) return [];
      return [`${from} → ${to}: ${a} must not import ${b}`];
    });
}

/** Packages imported where they must not be. `owners`: pattern → the rooms that may. */
export function strayPackages(
  imports: readonly Import[],
  owners: readonly (readonly [RegExp, readonly string[]])[],
  rules: Rules,
): string[] {
  return imports
    .filter((one) => !one.local)
    .flatMap(({ from, to }) =>
      owners
        .filter(([pattern, rooms]) => pattern.test(to) && !rooms.includes(roomOf(from, rules)))
        .map(() => `${from} → ${to}`),
    );
}

/** Cycles between files: every group of files that reach one another (Tarjan), as one line each. */
export function cycles(imports: readonly Import[]): string[] {
  const graph = new Map<string, string[]>();
  for (const { from, to, local } of imports) if (local) graph.set(from, [...(graph.get(from) ?? []), to]);
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) {
        visit(next);
        low.set(file, Math.min(low.get(file)!, low.get(next)!));
      } else if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, index.get(next)!));
    }
    if (low.get(file) !== index.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1 || graph.get(file)?.includes(file) === true) found.push(group.sort().join(' ↔ '));
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found.sort();
}

/** Files in which code (not comments or texts) matches a pattern, outside the files allowed to. */
export function uses(tree: Tree, pattern: RegExp, allowed: (file: string) => boolean): string[] {
  return [...tree]
    .filter(([file, text]) => !allowed(file) && pattern.test(codeOf(text, false)))
    .map(([file]) => file);
}
