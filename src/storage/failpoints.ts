/**
 * Moments at which a process can be made to die, for tests and for `recsys chaos`: `RECSYS_FAILPOINT=<name>:<n>` kills this process when it comes to the
 * named moment for the nth time, as `kill -9` does.
 */
export const FAILPOINTS = {
  'journal.written': 'records written to the journal, not yet brought to the disk',
  'journal.synced': 'records on the disk, not yet acknowledged',
  'journal.rolled': 'a new segment of the journal created, its directory not yet brought to the disk',
  'learn.recorded': 'the boundaries of updates recorded, the updates not yet made',
  'learn.updated': 'an update made, its outcome not yet recorded',
  'output.filled': 'a snapshot written beside the one before',
  'output.aside': 'the one before moved aside, the new one not yet in its place',
  'output.published': 'the new one in its place, the one before not yet removed',
  'output.removing': 'the one before almost removed',
  'checkpoint.replayed': 'another checkpoint ready to be served, not yet named in the journal',
  'checkpoint.recorded': 'the journal names another checkpoint, nobody serves it yet',
  'checkpoint.opened': 'another checkpoint served, no snapshot of it yet',
} as const;
export type Failpoint = keyof typeof FAILPOINTS;

const VARIABLE = 'RECSYS_FAILPOINT';

let armed = parse(process.env[VARIABLE]);

function parse(text: string | undefined): { readonly name: string; left: number } | undefined {
  const [, name, count] = /^([\w.]+):(\d+)$/.exec(text ?? '') ?? [];
  return name !== undefined && name in FAILPOINTS ? { name, left: Number(count) } : undefined;
}

/** What a process is given in its environment to die at a moment for the nth time. */
export const failingAt = (name: Failpoint, nth: number): Record<string, string> => ({
  [VARIABLE]: `${name}:${nth}`,
});

/** The process has come to a moment. */
export function failpoint(name: Failpoint): void {
  if (armed?.name !== name || --armed.left > 0) return;
  armed = undefined;
  process.kill(process.pid, 'SIGKILL');
  // The signal may come a moment later: nothing is to happen until then.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000);
}
