/** The receiver as a process of its own, for tests that kill it. */
import { reportError } from '../../functions/cli/output.ts';
import { receiveCommand } from '../../functions/cli/receive.ts';

try {
  await receiveCommand().parseAsync(process.argv.slice(2), { from: 'user' });
} catch (error) {
  process.exitCode = reportError(error, true);
}
