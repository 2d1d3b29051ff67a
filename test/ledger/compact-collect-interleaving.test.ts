/** Compaction and collection among ingests and folds: in any order, with faults, and with a death at any call of the store. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { collect, type PinnedSnapshot } from '../../functions/ledger/collect.ts';
import { compact } from '../../functions/ledger/compact.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { newestSnapshot, readSnapshot, type Snapshot, snapshotCommits, verifyChain } from '../../functions/ledger/snapshot.ts';
import { type Clock, type ObjectStore, TransientStoreError } from '../../functions/ports.ts';
import { type Fault, faultyStore, scheduled } from './faulty-store.ts';
import { LANDED_AT_MS, readAll } from './records.ts';
import { ingestRows, readRows, rowMerger } from './row-files.ts';

const DAY_MS = 86_400_000;

/** One store, one clock that is moved by hand, actors that know nothing of each other. */
class World {
  nowMs = LANDED_AT_MS;
  readonly clock: Clock = { now: () => this.nowMs };
  readonly inner: ObjectStore = memoryStore(this.clock);
  readonly merger = rowMerger();
  readonly pins: PinnedSnapshot[] = [];
  private names = 0;

  readonly newAttempt = (): string => {
    this.names += 1;
    return `n${this.names}`;
  };

  ingest(store: ObjectStore, content: string, generation = 0): Promise<unknown> {
    return ingestRows(store, { content, generation, rows: 3 + generation, attempt: this.newAttempt() });
  }

  compact(store: ObjectStore): Promise<unknown> {
    return compact(store, this.clock, this.merger, { newAttempt: this.newAttempt, minFiles: 2 });
  }

  collect(store: ObjectStore): Promise<unknown> {
    return collect(store, this.clock, { pinned: async () => this.pins });
  }

  /**
   * A history of three weeks: compacted and replaced contents, an orphan, a pinned snapshot; at its end a commit that was never folded, and small
   * files that are quiet.
   */
  async past(): Promise<void> {
    for (const content of ['a', 'b', 'c', 'd']) await this.ingest(this.inner, content);
    this.pins.push((await fold(this.inner, this.clock))!);
    await this.inner.putIfAbsent('data/token_usage/p=2026-10/orphan.parquet', new Uint8Array(9));
    this.nowMs += 3 * DAY_MS;
    await this.compact(this.inner);
    for (const content of ['e', 'f', 'g']) await this.ingest(this.inner, content);
    await this.ingest(this.inner, 'b', 1);
    await fold(this.inner, this.clock);
    await this.ingest(this.inner, 'h');
    this.nowMs += 18 * DAY_MS;
  }

  /** I8, I10: everything that a retained snapshot names is there, whole. The newest one holds the expected rows. */
  async check(expected: readonly string[]): Promise<void> {
    const newest = (await newestSnapshot(this.inner))!;
    assert.equal(await verifyChain(this.inner), newest.n);
    assert.deepEqual(await readRows(this.inner, newest), expected);
    for (const pin of this.pins) await readRows(this.inner, await readSnapshot(this.inner, pin.n));
    for (let n = newest.n; n > 1; n -= 1) {
      const info = (await this.inner.head(`_snap/${String(n).padStart(10, '0')}.json`))!;
      if (info.lastModifiedMs <= this.nowMs - 7 * DAY_MS) break;
      await readRows(this.inner, await readSnapshot(this.inner, n - 1));
    }
  }

  /** What the same contents are in a warehouse that never compacts and never collects. */
  async plainly(steps: readonly Step[]): Promise<string[]> {
    const world = new World();
    await world.past();
    for (const step of steps) if (typeof step === 'object') await world.ingest(world.inner, step.content, step.generation);
    const rows = await readRows(world.inner, (await fold(world.inner, world.clock))!);
    await world.close();
    return rows;
  }

  async close(): Promise<void> {
    await this.merger.close();
  }
}

type Step = 'fold' | 'compact' | 'collect' | { readonly content: string; readonly generation: number };

function take(world: World, store: ObjectStore, step: Step): Promise<unknown> {
  if (step === 'fold') return fold(store, world.clock);
  if (step === 'compact') return world.compact(store);
  if (step === 'collect') return world.collect(store);
  return world.ingest(store, step.content, step.generation);
}

/** Until it ends well, as a schedule would call it again. */
async function takeUntilDone(world: World, store: ObjectStore, step: Step): Promise<void> {
  for (let left = 80; ; left -= 1) {
    try {
      await take(world, store, step);
      return;
    } catch (error) {
      if (!(error instanceof TransientStoreError) || left === 0) throw error;
    }
  }
}

describe('any interleaving', () => {
  const contents = fc.record({ content: fc.constantFrom('a', 'b', 'e', 'i', 'j'), generation: fc.nat(2) });
  const step = fc.oneof<fc.Arbitrary<Step>[]>(
    fc.constant('fold'),
    fc.constant('compact'),
    fc.constant('collect'),
    // A content is the same bytes, so the same generation has the same rows, whoever reads it.
    contents,
  );
  const fault = fc.option(fc.constantFrom<Fault>('lost', 'landed', 'late'), { nil: null, freq: 8 });

  test('of ingests, folds, compactions and collections keeps every row and every file that is named', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 4 }),
        fc.array(fault, { maxLength: 120 }),
        async (scheduler, actors, faults) => {
          const world = new World();
          await world.past();
          const faulty = faultyStore(world.inner, (call) => faults[call - 1] ?? null);
          const store = scheduled(faulty, () => scheduler.schedule(Promise.resolve()));
          const work = actors.map(async (steps) => {
            for (const one of steps) await takeUntilDone(world, store, one);
          });
          await scheduler.waitFor(Promise.all(work));
          await fold(world.inner, world.clock);
          const expected = await world.plainly(actors.flat());
          await world.check(expected);
          // What is compacted and collected later, when all that was replaced has left the window, changes no row either.
          world.nowMs += 9 * DAY_MS;
          for (const last of ['compact', 'collect'] as const) await take(world, world.inner, last);
          await world.check(expected);
          await world.close();
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('a death at any call of the store', () => {
  class Death extends Error {}

  const STEPS: readonly Step[] = ['compact', { content: 'e', generation: 1 }, 'fold', 'compact', 'collect'];

  /** Dies before (or, unheard, just after) call number `fatal`, and does nothing more. */
  function mortal(inner: ObjectStore, fatal: number, isUnheard: boolean): { store: ObjectStore; calls: () => number } {
    let calls = 0;
    async function faced<T>(act: () => Promise<T>): Promise<T> {
      calls += 1;
      if (calls < fatal) return await act();
      if (calls === fatal && isUnheard) await act();
      throw new Death(`call ${calls}`);
    }
    return {
      calls: () => calls,
      store: {
        putIfAbsent: (key, body) => faced(() => inner.putIfAbsent(key, body)),
        get: (key) => faced(() => inner.get(key)),
        head: (key) => faced(() => inner.head(key)),
        delete: (key) => faced(() => inner.delete(key)),
        localFile: (key) => inner.localFile(key),
        async *list(prefix, after) {
          await faced(async () => {});
          yield* inner.list(prefix, after);
        },
      },
    };
  }

  /** What must be the same however often a process died: names of attempts, and orphans that are young, are not. */
  async function endState(world: World): Promise<unknown> {
    const snapshot: Snapshot = (await newestSnapshot(world.inner))!;
    const commits = await readAll(snapshotCommits(world.inner, snapshot));
    return {
      rows: await readRows(world.inner, snapshot),
      commits: commits.map(({ cid, generation }) => `${cid}.${generation}`).sort(),
      compacted: snapshot.compacted?.map(({ inputs }) => inputs),
      data: (await readAll(world.inner.list('data/'))).length,
    };
  }

  /** Takes all steps; the one that dies is taken again from its beginning. Then time passes and the collector clears what deaths left. */
  async function live(fatal: number, isUnheard: boolean): Promise<{ calls: number; state: unknown }> {
    const world = new World();
    await world.past();
    const { store, calls } = mortal(world.inner, fatal, isUnheard);
    let lives = store;
    for (const step of STEPS) {
      try {
        await take(world, lives, step);
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        lives = world.inner;
        await take(world, lives, step);
      }
    }
    world.nowMs += 9 * DAY_MS;
    await world.collect(world.inner);
    const state = await endState(world);
    await world.check((state as { rows: string[] }).rows);
    await world.close();
    return { calls: calls(), state };
  }

  for (const isUnheard of [false, true]) {
    test(`${isUnheard ? 'after it took effect, unheard' : 'before it took effect'}, then the step again, ends as if nothing had happened`, async () => {
      const clean = await live(Number.POSITIVE_INFINITY, false);
      assert.ok(clean.calls > 50, `${clean.calls} calls`);
      for (let fatal = 1; fatal <= clean.calls; fatal += 1) {
        const { state } = await live(fatal, isUnheard);
        assert.deepEqual(state, clean.state, `death at call ${fatal}`);
      }
    });
  }
});
