/** The ThreadPool port without threads: for little work, which would be done before a thread has started. */
import type { ThreadPool } from '../ports.ts';
import type { ThreadWork } from './thread-messages.ts';

export function inlinePool<Description, Block, Result>(
  open: (description: Description) => ThreadWork<Block, Result>,
): ThreadPool<Description, Block, Result> {
  let spare: ArrayBuffer | null = null;
  return {
    threads: 1,
    spare: () => {
      const free = spare;
      spare = null;
      return free;
    },
    open: (description) => {
      const work = open(description);
      return {
        send: async (block) => {
          spare = work.take(block) ?? spare;
        },
        finish: async () => work.finish(),
        abort: async () => work.abort(),
      };
    },
    close: async () => {},
  };
}
