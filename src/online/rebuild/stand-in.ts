/**
 * Stands for whichever object is the current one: for what is handed out once, and must follow when another takes its place.
 * @param own members that are not the current one's
 */
export function standIn<T extends object>(
  current: () => T,
  own: { readonly [K in keyof T]?: () => T[K] } = {},
): T {
  return new Proxy({} as T, {
    get(_, key) {
      const given = own[key as keyof T];
      if (given) return given();
      const of = current();
      const value: unknown = Reflect.get(of, key);
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
}
