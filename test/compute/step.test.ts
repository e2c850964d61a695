import { describe } from 'node:test';
import { onEachBackend } from '../suites/backends.js';
import { stepContract } from '../suites/step.js';

onEachBackend('step contract', (backend) => {
  describe('op by op', () => stepContract({ compile: false }));
  if (backend === 'tensorflow') describe('recorded', () => stepContract({ compile: true }));
});
