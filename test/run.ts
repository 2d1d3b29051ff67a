/** The tests, on every core: `node --test` leaves one idle. Arguments: other files or patterns than all tests. */
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const patterns = process.argv.slice(2);

const tests = run({
  globPatterns: patterns.length > 0 ? patterns : ['test/**/*.test.ts'],
  concurrency: availableParallelism(),
});
tests.on('test:fail', ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
tests.compose(new spec()).pipe(process.stdout);
