/** A reporter for node --test: one JSON line for each skipped test, for the list that scripts/test.mjs prints at the end. */
export default async function* skipped(source) {
  for await (const { type, data } of source) {
    if ((type === 'test:pass' || type === 'test:fail') && data.skip !== undefined) {
      const reason = typeof data.skip === 'string' ? data.skip : '';
      yield `${JSON.stringify({ name: data.name, file: data.file, reason })}\n`;
    }
  }
}
