// Loaded into every Node process that is measured (--import): when the process ends it says what it took. Plain JavaScript, so that a
// launcher on an older Node carries it on to the Node that does the work.
import { appendFileSync, readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** Peak of this process alone, KiB. The kernel's ru_maxrss would count the parent too, from before the exec; VmHWM does not. */
function peakKib() {
  try {
    return Number(/^VmHWM:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  } catch {
    return process.resourceUsage().maxRSS;
  }
}

const file = process.env.KASHI_BENCH_USAGE;
if (isMainThread && file !== undefined) {
  process.on('exit', () => {
    // User and system time of all threads, workers and the engine's own included. Units: microseconds.
    const { user, system } = process.cpuUsage();
    appendFileSync(file, `${JSON.stringify({ pid: process.pid, cpuUs: user + system, peakKib: peakKib() })}\n`);
  });
}
