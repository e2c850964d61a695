import type { Catalogue } from '../../types.js';

/** A user's attributes as a checkpoint holds them: categories and tags by name, numbers as standardised. Null for who is not in it. */
export function attributesOf(
  { users, userFeatures }: Pick<Catalogue, 'users' | 'userFeatures'>,
  user: string,
): { readonly tokens: string[]; readonly numbers: Record<string, number> } | null {
  const row = users.indexOf(user, 1);
  if (row < 0) return null;
  const { width, tokens, tokenNames, numbers, numberNames } = userFeatures;
  const own = Array.from(tokens.subarray(row * width, (row + 1) * width)).filter((token) => token > 0);
  const at = row * numberNames.length;
  return {
    tokens: own.map((token) => tokenNames[token]!),
    numbers: Object.fromEntries(numberNames.map((name, i) => [name, numbers[at + i]!])),
  };
}
