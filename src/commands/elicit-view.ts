import type { ElicitationResults, StoredQuestion } from '../evaluation/elicitation/results.js';
import { renderTable, type Table } from '../report/table.js';
import { LEADING } from './cold-view.js';
import { differenceText } from './difference-text.js';

/** The list, or the first question of a tree and what follows each answer. */
export function questionText({ strategy, items, tree }: ElicitationResults): string {
  const list = items.map(({ title, item }) => title || item).join(' · ');
  if (!tree) return `questions (${strategy}): ${list}`;
  const { unknown, low, high } = tree.next;
  const about = (one: StoredQuestion | undefined): string => (one ? one.title || one.item : 'no more');
  // Without values there is no threshold: an item is known or it is not.
  const below = tree.threshold === 0 ? '' : `; below ${tree.threshold.toFixed(1)}: ${about(low)}`;
  return [
    `first question: ${about(tree)}; not known: ${about(unknown)}${below}; else: ${about(high)}; …`,
    `once the tree has ended: ${list}`,
  ].join('\n');
}

type Interviews = NonNullable<ElicitationResults['interviews']>;

export function interviewTable({ task, rows }: Interviews): Table {
  return {
    columns: ['questions', 'answered', ...LEADING[task]],
    rows: rows.map(({ strategy, answers, metrics }) => [
      strategy,
      answers.toFixed(1),
      ...LEADING[task].map(({ name }) => {
        const { mean, low, high } = metrics[name]!;
        return { value: mean, low, high };
      }),
    ]),
    // All that a user knows is more than any interview asks.
    aside: rows.flatMap(({ strategy }, r) => (strategy === 'everything asked' ? [r] : [])),
  };
}

export function interviewText(interviews: Interviews): string {
  const [{ name: leading }] = LEADING[interviews.task];
  const lines = interviews.rows.flatMap(({ strategy, difference }) =>
    difference ? [`  ${strategy} − popular: ${leading} ${differenceText(difference[leading]!)}`] : [],
  );
  const head = `${interviews.users} new users, ${interviews.questions} questions each`;
  return [head, '', renderTable(interviewTable(interviews)), '', ...lines].join('\n');
}
