import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { selectBackend } from '../compute/select.js';
import { readDataset } from '../data/read.js';
import { RecsysError } from '../errors.js';
import { scenarioTasks } from '../evaluation/cold/evaluate.js';
import { questions, STRATEGY_NAMES, type StrategyName } from '../evaluation/elicitation/index.js';
import { interview } from '../evaluation/elicitation/interview.js';
import type { ElicitationResults, StoredQuestion } from '../evaluation/elicitation/results.js';
import { type ElicitConfig, elicitSchema } from '../evaluation/elicitation/schema.js';
import type { Elicitation } from '../evaluation/elicitation/strategy.js';
import type { Question } from '../evaluation/elicitation/tree.js';
import { Random } from '../random.js';
import { renderTable, type Table } from '../report/table.js';
import { withOutputDirectory } from '../storage/atomic.js';
import { readCheckpoint } from '../storage/checkpoint.js';
import type { Catalogue } from '../types.js';
import { modelMeasure, openCold, requireValues } from './cold-contenders.js';
import { differenceText } from './difference-text.js';
import { defineStage, type StageRun } from './stage.js';

export default defineStage({
  name: 'elicit',
  describe: 'choose the few items that a new user is best asked about',
  schema: elicitSchema,
  flags: {
    data: { key: 'data', describe: 'prepared dataset directory', type: 'string' },
    model: { key: 'model', describe: 'checkpoint that is to know new users', type: 'string', stdin: true },
    strategy: { key: 'strategy', describe: STRATEGY_NAMES.join(', '), type: 'string' },
    questions: { key: 'questions', describe: 'questions of an interview', type: 'number' },
    simulate: { key: 'simulate', describe: 'interview new users by every strategy', type: 'boolean' },
  },
  defaultOut: 'elicitation',
  async run(run) {
    const { flags } = run;
    const results = await withOutputDirectory(
      flags.out!,
      { force: flags.force, resume: false },
      async (partial) => {
        const found = await elicit(run);
        await writeFile(join(partial, 'elicitation.json'), `${JSON.stringify(found, null, 2)}\n`);
        const { writeReport } = await import('../report/report.js');
        await writeReport(partial, {
          title: `What to ask new users of ${found.dataset.name}`,
          description: found.items.map(({ title, item }) => title || item).join(' · '),
          ...(found.interviews ? { comparison: interviewTable(found.interviews) } : {}),
          config: run.config,
        });
        return found;
      },
    );
    const { items, interviews, seconds } = results;
    return {
      path: flags.out!,
      seconds,
      items,
      ...(interviews ? { interviews } : {}),
      text: [
        questionText(results),
        ...(interviews ? ['', interviewText(interviews)] : []),
        '',
        flags.out!,
      ].join('\n'),
    };
  },
});

async function elicit(run: StageRun<ElicitConfig>): Promise<ElicitationResults> {
  const { config } = run;
  const started = performance.now();
  const checkpoint = await readCheckpoint(config.model);
  const dataset = await readDataset(config.data);
  requireValues(dataset, config.task, 'task');
  await selectBackend(config.backend);
  const opened = await openCold({ name: 'model', checkpoint, events: true }, dataset);
  try {
    const known = { users: 'existing', items: 'existing' } as const;
    const fresh = { users: 'new', items: 'existing' } as const;
    const measure = modelMeasure(dataset, opened, config.task, { ...run, progress: () => undefined });
    const { catalogue, manifest } = dataset;
    const random = (purpose: string): Random => Random.of(config.seed, purpose);
    const tasks = scenarioTasks(dataset, known, config, config.seed);
    if (tasks.length === 0 && (config.simulate || ['gain', 'tree'].includes(config.strategy)))
      throw new RecsysError(
        'DATA_EMPTY',
        `${dataset.path}: no existing user has ${config.least} train rows`,
        {
          remedy: 'Lower `least`, or choose a strategy that tries nothing on users, such as popular.',
        },
      );
    const some = random('elicitation users')
      .shuffle([...tasks.keys()])
      .slice(0, config.users);
    const given = (name: StrategyName, count: number): Elicitation => ({
      dataset,
      candidates: mostPopular(catalogue.itemCounts, config.candidates),
      count,
      random: random(`questions ${name}`),
      users: some.map((t) => tasks[t]!),
      adapter: opened.adapter,
      loss: async (tasks) => {
        if (run.signal.aborted)
          throw new RecsysError('INTERRUPTED', 'the choice of questions was interrupted');
        const values = await measure(tasks, known);
        return config.task === 'rating' ? values.get('mae')! : values.get('ndcg@10')!.map((x) => -x);
      },
    });
    const chosen = async (name: StrategyName, count: number): Promise<Question | undefined> => {
      return questions(name, given(name, count));
    };
    const isTree = config.strategy === 'tree';
    const items = listed(await chosen(isTree ? 'popular' : config.strategy, config.count));
    const first = isTree ? await chosen('tree', config.questions) : undefined;
    return {
      kind: 'elicitation',
      formatVersion: 1,
      model: checkpoint.manifestSha256,
      dataset: { path: dataset.path, name: manifest.name, fingerprint: manifest.fingerprint },
      strategy: config.strategy,
      ...(first ? { tree: stored(first, catalogue) } : {}),
      items: items.map((i) => ({ item: catalogue.items[i]!, title: catalogue.titles[i] ?? '' })),
      ...(config.simulate ? { interviews: await simulated() } : {}),
      seconds: (performance.now() - started) / 1000,
    };

    async function simulated(): Promise<NonNullable<ElicitationResults['interviews']>> {
      const tasks = scenarioTasks(dataset, fresh, config, config.seed);
      if (tasks.length === 0)
        throw new RecsysError('DATA_EMPTY', `${dataset.path}: there is no new user to interview`, {
          remedy: 'Prepare the dataset with `split: { kind: cold, users: … }`, or lower `least`.',
        });
      const asked = new Map<StrategyName, Question | undefined>();
      for (const name of STRATEGY_NAMES) {
        run.progress({ task: `questions by ${name}`, done: asked.size, total: STRATEGY_NAMES.length });
        asked.set(name, name === 'tree' && first ? first : await chosen(name, config.questions));
      }
      const options = { resamples: config.bootstrap.resamples, seed: config.seed };
      const rows = await interview(asked, tasks, { dataset }, (some) => measure(some, fresh), options);
      return { users: tasks.length, questions: config.questions, task: config.task, rows };
    }
  } finally {
    opened.adapter.dispose();
    opened.scorer.dispose();
  }
}

/** The list, or the first question of a tree and what follows each answer. */
function questionText({ strategy, items, tree }: ElicitationResults): string {
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

/** A tree by item ids. */
function stored({ item, threshold, next }: Question, known: Catalogue): StoredQuestion {
  const following = Object.entries(next).map(([answer, one]) => [answer, stored(one, known)]);
  return {
    item: known.items[item]!,
    title: known.titles[item] ?? '',
    threshold,
    next: Object.fromEntries(following),
  };
}

/** The items of a tree in which no answer matters. */
function listed(first: Question | undefined): number[] {
  const items: number[] = [];
  for (let node = first; node; node = node.next.unknown) items.push(node.item);
  return items;
}

function mostPopular(counts: Float32Array, most: number): number[] {
  return [...counts.keys()]
    .filter((item) => item > 0 && counts[item]! > 0)
    .sort((a, b) => counts[b]! - counts[a]! || a - b)
    .slice(0, most);
}

type Interviews = NonNullable<ElicitationResults['interviews']>;
const SHOWN = {
  rating: [
    { name: 'mae', better: 'lower' },
    { name: 'ndcg@3', better: 'higher' },
  ],
  ranking: [
    { name: 'ndcg@10', better: 'higher' },
    { name: 'hr@10', better: 'higher' },
  ],
} as const;

function interviewTable({ task, rows }: Interviews): Table {
  return {
    columns: ['questions', 'answered', ...SHOWN[task]],
    rows: rows.map(({ strategy, answers, metrics }) => [
      strategy,
      answers.toFixed(1),
      ...SHOWN[task].map(({ name }) => {
        const { mean, low, high } = metrics[name]!;
        return { value: mean, low, high };
      }),
    ]),
    // All that a user knows is more than any interview asks.
    aside: rows.flatMap(({ strategy }, r) => (strategy === 'everything asked' ? [r] : [])),
  };
}

function interviewText(interviews: Interviews): string {
  const [{ name: leading }] = SHOWN[interviews.task];
  const lines = interviews.rows.flatMap(({ strategy, difference }) =>
    difference ? [`  ${strategy} − popular: ${leading} ${differenceText(difference[leading]!)}`] : [],
  );
  const head = `${interviews.users} new users, ${interviews.questions} questions each`;
  return [head, '', renderTable(interviewTable(interviews)), '', ...lines].join('\n');
}
