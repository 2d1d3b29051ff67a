/** Servers that a suite starts. */
import type { ChildProcess } from 'node:child_process';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The child does not outlive this process, however that ends. Returns what lets the child go. */
export function endWith(child: ChildProcess): () => void {
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  const stop = (): void => {
    kill();
    process.exit(1);
  };
  process.once('exit', kill);
  for (const signal of SIGNALS) process.once(signal, stop);
  return () => {
    process.off('exit', kill);
    for (const signal of SIGNALS) process.off(signal, stop);
  };
}
