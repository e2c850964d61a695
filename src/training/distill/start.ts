import type { ParameterInits } from '../../compute/parameters.js';
import { RecsysError } from '../../errors.js';
import type { RestoredModel } from '../../model/restore.js';
import { mainDirections, project } from './principal.js';

/** The items' own vectors, whose space the others of a model's inputs share. */
const ITEMS = 'item.embedding';
const POSITIONS = 'position.embedding';

/**
 * Lets a student's item vectors begin as the teacher's, along their main directions, and with them every other parameter of that
 * space: attributes, positions, behaviours.
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
  // Item vectors are multiplied by the root of the width where others are added to them: those shrink as that does.
  const beside = Math.sqrt(to / from);
  for (const [name, init] of inits) {
    const other = teacher.inits.get(name);
    const [rows, width] = init.shape;
    if (!other || init.shape.length !== 2 || width !== to || other.shape[1] !== from) continue;
    if (!IN_ITEM_SPACE.test(name)) continue;
    const projected = project(other.data, basis);
    if (!name.startsWith('item.')) for (let i = 0; i < projected.length; i++) projected[i]! *= beside;
    // What is new to the teacher keeps its own beginning. Positions are counted from the newest event, which has the last row.
    const known = Math.min(rows!, other.shape[0]!);
    const data = Float32Array.from(init.data);
    if (name === POSITIONS) data.set(projected.subarray(projected.length - known * to), (rows! - known) * to);
    else data.set(projected.subarray(0, known * to));
    inits.set(name, { ...init, data });
  }
}

/** Parameters that are added to item vectors, or are themselves of those. */
const IN_ITEM_SPACE =
  /^(item|user)\.(embedding|tokens|numbers)$|^(position|behaviour)\.embedding$|^(start|mask)$/;
