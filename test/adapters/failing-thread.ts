/** Thread of disk-error.test.ts: fails as a spool on a full disk does. */
import { diskError } from '../../functions/adapters/disk-error.ts';
import { serveThread } from '../../functions/adapters/thread-messages.ts';

serveThread(() => ({
  take: () => null,
  finish: () => {
    throw diskError(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }), '/spool');
  },
  abort: () => {},
}));
