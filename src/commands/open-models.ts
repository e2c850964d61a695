import { basename } from 'node:path';
import { RecsysError } from '../errors.js';
import type { EvaluateConfig } from '../evaluation/schema.js';
import { type Checkpoint, readCheckpoint } from '../storage/checkpoint.js';

export interface NamedCheckpoint {
  readonly name: string;
  readonly checkpoint: Checkpoint;
  /** False: in cold start it is given no event. */
  readonly events: boolean;
}

/** Reads the checkpoints and gives each a name of its own. */
export async function openModels(config: EvaluateConfig): Promise<NamedCheckpoint[]> {
  const taken = new Set<string>(config.baselines);
  const models: NamedCheckpoint[] = [];
  for (const entry of config.models) {
    if (isRankings(entry)) {
      if (taken.has(entry.name)) throw takenTwice(entry.name);
      taken.add(entry.name);
      continue;
    }
    const {
      path,
      name: given,
      events,
    } = typeof entry === 'string' ? { path: entry, name: undefined, events: true } : entry;
    const base = given ?? basename(path);
    if (given !== undefined && taken.has(given)) throw takenTwice(given);
    let name = base;
    for (let n = 2; taken.has(name); n++) name = `${base} ${n}`;
    taken.add(name);
    models.push({ name, checkpoint: await readCheckpoint(path), events });
  }
  return models;
}

type ModelEntry = EvaluateConfig['models'][number];

export function isRankings(entry: ModelEntry): entry is Extract<ModelEntry, { rankings: string }> {
  return typeof entry === 'object' && 'rankings' in entry;
}

function takenTwice(name: string): RecsysError {
  return new RecsysError('CONFIG_INVALID', `models: the name ${name} is taken twice`);
}
