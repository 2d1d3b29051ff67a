/** Where an ingest thread begins: with the compiled code that launch.js keeps, which a thread does not have by itself; it starts in a third of the time. */
import module from 'node:module';
import { fileURLToPath } from 'node:url';

module.enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/kashi', import.meta.url)));
await import('./wiring-thread-jobs.ts');
// A thread is ended, it does not end; what it compiled would be lost.
module.flushCompileCache();
