import type { ParameterInits } from '../../compute/parameters.js';
import { RecsysError } from '../../errors.js';
import type { RestoredModel } from '../../model/restore.js';
import { mainDirections, project } from './principal.js';

/** The items' own vectors, whose space the others of a model's inputs share. */
const ITEMS = 'item.embedding';

/**
 * Lets a student's item vectors begin as the teacher's, along their main directions; with them every other parameter of that space
 * that both have in as many rows (attributes, positions, behaviours).
 * @throws CONFIG_INVALID where one of them has no item vectors of its own, or the student's are wider
 */
export function startAtTeacher(inits: ParameterInits, teacher: RestoredModel): void {
  const theirs = teacher.inits.get(ITEMS);
  const own = inits.get(ITEMS);
  if (!theirs || !own)
    throw new RecsysError(
      'CONFIG_INVALID',
      `start: ${theirs ? 'the student' : 'the teacher'} has no ${ITEMS}`,
    );
  const [, from] = theirs.shape as [number, number];
  const [, to] = own.shape as [number, number];
  if (to > from)
    throw new RecsysError(
      'CONFIG_INVALID',
      `start: the student's item vectors are wider (${to}) than the teacher's (${from})`,
      { remedy: 'Set `start: fresh`, or a `student.width` that is no larger than the teacher’s.' },
    );
  const basis = mainDirections(theirs.data, from, to);
  for (const [name, init] of inits) {
    const other = teacher.inits.get(name);
    const [rows, width] = init.shape;
    if (!other || init.shape.length !== 2 || width !== to || other.shape[1] !== from) continue;
    if (!IN_ITEM_SPACE.test(name)) continue;
    const projected = project(other.data, basis);
    // Items and users that are new to the teacher keep their own beginning.
    const known = Math.min(rows!, other.shape[0]!);
    const data = Float32Array.from(init.data);
    data.set(projected.subarray(0, known * to));
    inits.set(name, { ...init, data });
  }
}

/** Parameters that are added to item vectors, or are themselves of those. */
const IN_ITEM_SPACE =
  /^(item|user)\.(embedding|tokens|numbers)$|^(position|behaviour)\.embedding$|^(start|mask)$/;
