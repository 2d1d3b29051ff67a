/** The ThreadPool port without threads: for little work, which would be done before a thread has started. */
import type { ThreadPool } from '../ports.ts';
import type { ThreadWork } from './thread-messages.ts';

export function inlinePool<Description, Block, Result>(
  open: (description: Description) => ThreadWork<Block, Result>,
): ThreadPool<Description, Block, Result> {
  return {
    threads: 1,
    open: (description) => {
      const work = open(description);
      return {
        send: async (block) => work.take(block),
        finish: async () => work.finish(),
        abort: async () => work.abort(),
      };
    },
    close: async () => {},
  };
}
