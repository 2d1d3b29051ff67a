/** Virtual time. Whoever sleeps is woken in the order of instants, and between two wakes everything that can run has run: a seed is one history. */

interface Sleeper {
  readonly atMs: number;
  readonly order: number;
  readonly wake: () => void;
}

export class Scheduler {
  nowMs: number;
  private readonly heap: Sleeper[] = [];
  private slept = 0;
  private stopped = false;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => {
      this.slept += 1;
      this.push({ atMs: this.nowMs + ms, order: this.slept, wake });
    });
  }

  /** Nobody is woken any more. */
  stop(): void {
    this.stopped = true;
  }

  /** Until nobody sleeps. */
  async run(): Promise<void> {
    await settled();
    for (let next = this.pop(); next !== null && !this.stopped; next = this.pop()) {
      this.nowMs = next.atMs;
      next.wake();
      await settled();
    }
  }

  private push(sleeper: Sleeper): void {
    const { heap } = this;
    let place = heap.length;
    for (let parent = (place - 1) >> 1; place > 0 && before(sleeper, heap[parent]!); parent = (place - 1) >> 1) {
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = sleeper;
  }

  private pop(): Sleeper | null {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

function before(left: Sleeper, right: Sleeper): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}

/** Node runs a tick once no microtask is left: everything that was woken has come to its next wait. Nothing in here waits for the real world. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
