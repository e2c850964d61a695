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
import { best, type Elicitation } from '../evaluation/elicitation/strategy.js';
import type { Question } from '../evaluation/elicitation/tree.js';
import { Random } from '../random.js';
import { withOutputDirectory } from '../storage/atomic.js';
import { readCheckpoint } from '../storage/checkpoint.js';
import type { Catalogue } from '../types.js';
import { openCold, requireValues } from './cold-contenders.js';
import { interviewTable, interviewText, questionText } from './elicit-view.js';
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
  const named = { name: 'model', checkpoint, events: true };
  const quiet = { ...run, progress: () => undefined };
  const opened = await openCold(named, dataset, config.task, quiet);
  try {
    const known = { users: 'existing', items: 'existing' } as const;
    const fresh = { users: 'new', items: 'existing' } as const;
    const { measure } = opened;
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
    const { itemCounts } = catalogue;
    const trained = [...itemCounts.keys()].filter((item) => itemCounts[item]! > 0);
    const popular = best(
      trained,
      trained.map((item) => itemCounts[item]!),
      config.candidates,
    );
    const given = (name: StrategyName, count: number): Elicitation => ({
      dataset,
      candidates: popular,
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
    const chosen = (name: StrategyName, count: number): Promise<Question | undefined> =>
      questions(name, given(name, count));
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
    opened.dispose();
  }
}

/** A tree by item ids. */
function stored({ item, threshold, next }: Question, known: Catalogue): StoredQuestion {
  const following = Object.entries(next).flatMap(([answer, one]) =>
    one ? [[answer, stored(one, known)] as const] : [],
  );
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
