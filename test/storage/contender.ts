/** Run as a child process by lock.test.ts: at each message tries for the lock at <path>, answers, and lets go at the next. */
import { RecsysError } from '../../src/errors.js';
import { acquireLock, type Lock } from '../../src/storage/lock.js';

const [path = ''] = process.argv.slice(2);
let lock: Lock | undefined;

async function act(message: unknown): Promise<string> {
  if (message === 'release') {
    await lock?.release();
    lock = undefined;
    return 'released';
  }
  try {
    lock = await acquireLock(path, 'the output');
    return 'won';
  } catch (error) {
    return error instanceof RecsysError ? error.code : String(error);
  }
}

process.on('message', (message) => {
  act(message).then((answer) => process.send?.(answer));
});
process.send?.('ready');
