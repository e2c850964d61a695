import { parse } from '../../src/cli/arguments.js';
import { COMMANDS } from '../../src/cli.js';
import type { CommandTable } from '../../src/commands/stage.js';

export type CommandName = keyof typeof COMMANDS;

/** The flags that each command's --help names, `-c` and the like included. */
export async function flagsOfCommands(): Promise<Map<string, Set<string>>> {
  const flags = new Map<string, Set<string>>();
  const add = async (table: CommandTable, before: string): Promise<void> => {
    for (const [name, { load, commands }] of Object.entries(table)) {
      const { default: stage } = await load();
      const { printed } = await parse([name, '--help'], stage, table);
      const named = printed.match(/(?<![\w-])--?[a-z][\w-]*/g) ?? [];
      // A flag of one letter may be written with one dash or two.
      const short = named.filter((flag) => flag.length === 2).map((flag) => `-${flag}`);
      flags.set(before + name, new Set([...named, ...short]));
      if (commands !== undefined) await add(commands, `${before}${name} `);
    }
  };
  await add(COMMANDS, '');
  return flags;
}

/** A call of recsys in a text: its command and the flags given to it. */
export interface Call {
  readonly command: string;
  readonly flags: readonly string[];
}

const NESTED = Object.entries(COMMANDS as CommandTable).flatMap(([name, { commands = {} }]) =>
  Object.keys(commands).map((below) => `${name} ${below}`),
);
const COMMAND = new RegExp(`${NESTED.map((name) => `${name}\\b|`).join('')}[a-z][\\w-]*`);

/**
 * Calls of recsys in code. A call ends with its line (unless that ends in a backslash), at a pipe, or where the next one begins;
 * `recsys <stage>` and the like name no command.
 */
export function callsIn(code: string): Call[] {
  const text = code.replaceAll('\\\n', ' ').replaceAll(/(^|\s)#.*$/gm, '');
  const calls = text.split(/(?<=^|[\s"`(/])recsys(?:\.js)?(?= +[a-z])/m).slice(1);
  return calls.map((call) => {
    const [own] = call.split(/[\n|]/);
    return {
      command: COMMAND.exec(own!)![0],
      flags: [...own!.matchAll(/(?<=\s)--?[a-z][\w-]*/g)].map(([flag]) => flag),
    };
  });
}
