/** Whatever the order of events and wherever a process dies, the same commits end in the same history. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ObjectStore } from '../../functions/ports.ts';
import { type CrashPoint, commit, markSeen, readCommit } from '../../functions/warehouse/commit.ts';
import { fold } from '../../functions/warehouse/fold.ts';
import { newestSnapshot, readSnapshot, type Snapshot, snapshotCommits, verifyChain } from '../../functions/warehouse/snapshot.ts';
import { sumFrom } from '../../functions/warehouse/totals.ts';
import { type Fault, faultyStore } from './faulty-store.ts';
import { CLOCK, LANDED_AT_MS, LANDED_DAY, newStore, putFiles, type RecordParts, readAll, recordOf } from './records.ts';

/** One ingest: files, commit, hint. */
async function ingest(store: ObjectStore, parts: RecordParts, crash?: (point: CrashPoint) => void): Promise<void> {
  const record = await putFiles(store, recordOf(parts));
  await commit(store, record, crash === undefined ? {} : { crash });
  await markSeen(store, { name: parts.name ?? parts.content, bytes: 1, lastModifiedMs: LANDED_AT_MS }, record.cid);
}

/** The laws of the history, read from the store alone. */
async function checkHistory(store: ObjectStore): Promise<void> {
  const newest = await newestSnapshot(store);
  assert.equal(await verifyChain(store), newest?.n ?? 0);
  const firstSeen = new Map<string, number>();
  let older = new Map<string, number>();
  for (let n = 1; n <= (newest?.n ?? 0); n += 1) {
    const snapshot = await readSnapshot(store, n);
    const generations = new Map<string, number>();
    const sum = sumFrom();
    for (const { fold_seq, ...record } of await readAll(snapshotCommits(store, snapshot))) {
      assert.ok(!generations.has(record.cid), `snapshot ${n} holds a content twice`);
      generations.set(record.cid, record.generation);
      const name = `${record.cid}.${record.generation}`;
      if (!firstSeen.has(name)) firstSeen.set(name, n);
      assert.equal(fold_seq, firstSeen.get(name), 'fold_seq is the first snapshot that held this generation');
      assert.deepEqual(record, await readCommit(store, record.cid, record.generation), 'what is folded is what was committed');
      sum.add(record);
    }
    assert.deepEqual(
      { sources: snapshot.totals, quarantine: snapshot.quarantine, datasets: snapshot.datasets },
      sum.result(),
      `totals of ${n}`,
    );
    for (const [cid, generation] of older) assert.ok((generations.get(cid) ?? -1) >= generation, `snapshot ${n} lost a commit`);
    older = generations;
  }
}

/** What every order must agree on: contents, their generation and rows. */
async function finalSet(store: ObjectStore, snapshot: Snapshot | null): Promise<string[]> {
  const commits = snapshot === null ? [] : await readAll(snapshotCommits(store, snapshot));
  return commits.map(({ cid, generation, lines, kind }) => `${cid}.${generation} ${kind} ${lines.valid}`).sort();
}

describe('any interleaving', () => {
  const job = fc.record({ content: fc.constantFrom('a', 'b', 'c', 'd'), generation: fc.nat(2), rows: fc.constant(3) });
  const fault = fc.option(fc.constantFrom<Fault>('lost', 'landed', 'late'), { nil: null, freq: 8 });

  test('of commits, folds and faults gives the same final set', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(job, { minLength: 1, maxLength: 10 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
        fc.array(fault, { maxLength: 60 }),
        async (scheduler, jobs, folders, faults) => {
          const inner = newStore();
          const faulty = faultyStore(inner, (call) => faults[call - 1] ?? null);
          const store = scheduled(faulty, () => scheduler.schedule(Promise.resolve()));
          const actors = [
            ...jobs.map((parts, worker) => ingestUntilDone(store, { ...parts, attempt: `w${worker}`, rows: 3 + parts.generation })),
            ...folders.map(async (quick) => {
              for (let turn = 0; turn < 2; turn += 1) await fold(store, CLOCK, quick ? { since: [LANDED_DAY] } : {});
            }),
          ];
          await scheduler.waitFor(Promise.all(actors));

          const last = await fold(inner, CLOCK);
          await checkHistory(inner);
          const quiet = newStore();
          for (const parts of jobs) await ingest(quiet, { ...parts, rows: 3 + parts.generation });
          assert.deepEqual(await finalSet(inner, last), await finalSet(quiet, await fold(quiet, CLOCK)));
          const jobsByContent = Map.groupBy(jobs, ({ content }) => content);
          assert.equal((await finalSet(inner, last)).length, jobsByContent.size);
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** A message is delivered again until its ingest ends well. */
async function ingestUntilDone(store: ObjectStore, parts: RecordParts): Promise<void> {
  for (let delivery = 1; ; delivery += 1) {
    try {
      return await ingest(store, { ...parts, attempt: `${parts.attempt}-${delivery}` });
    } catch (error) {
      if (delivery === 70) throw error;
    }
  }
}

/** Every operation waits for its turn. */
function scheduled(inner: ObjectStore, turn: () => Promise<unknown>): ObjectStore {
  return {
    putIfAbsent: (key, body) => turn().then(() => inner.putIfAbsent(key, body)),
    get: (key) => turn().then(() => inner.get(key)),
    head: (key) => turn().then(() => inner.head(key)),
    delete: (key) => turn().then(() => inner.delete(key)),
    localFile: (key) => inner.localFile(key),
    async *list(prefix, after) {
      await turn();
      yield* inner.list(prefix, after);
    },
  };
}

describe('a crash', () => {
  class Crash extends Error {}

  /** Enough to pass every crash point: two folds, a replacement, a full and an open segment. Each run is a new attempt. */
  async function work(store: ObjectStore, run: number, crash: (point: CrashPoint) => void): Promise<Snapshot | null> {
    const attempt = `run${run}`;
    for (let place = 0; place < 1003; place += 1) {
      // Crash points inside the bulk are those of its first commit.
      await ingest(store, { content: `bulk ${place}`, attempt }, place === 0 ? crash : undefined);
    }
    await fold(store, CLOCK, { crash });
    await ingest(store, { content: 'late', attempt }, crash);
    await ingest(store, { content: 'bulk 7', attempt: `${attempt}-g1`, generation: 1, rows: 8 }, crash);
    return await fold(store, CLOCK, { crash });
  }

  /** The end state without the names of attempts, which differ by design. */
  async function endState(store: ObjectStore, snapshot: Snapshot | null): Promise<unknown> {
    const commits = await readAll(snapshotCommits(store, snapshot!));
    return {
      n: snapshot!.n,
      totals: [snapshot!.totals, snapshot!.quarantine, snapshot!.datasets],
      segments: snapshot!.segments.map(({ entries, first, last, dropped }) => ({ entries, first, last, dropped })),
      commits: commits.map(({ cid, generation, fold_seq, rows }) => ({ cid, generation, fold_seq, rows })),
    };
  }

  /** Every put of a commit or snapshot has an unknown outcome at its first try, so that those crash points are passed too. */
  function unsure(inner: ObjectStore, fault: Fault): ObjectStore {
    const tried = new Set<string>();
    return faultyStore(inner, (_, operation, key) => {
      if (operation !== 'put' || !/^_(commits|snap)/.test(key) || tried.has(key)) return null;
      tried.add(key);
      return fault;
    });
  }

  for (const fault of ['lost', 'landed', 'late'] as const) {
    test(`at each point, then the work again, ends as if nothing had happened (outcomes ${fault})`, async () => {
      const points: CrashPoint[] = [];
      const clean = newStore();
      const expected = await endState(clean, await work(unsure(clean, fault), 0, (point) => void points.push(point)));
      assert.deepEqual([...new Set(points)].sort(), [
        'afterCommit',
        'beforeCommit',
        'commitUnknown',
        'sealer.afterList',
        'sealer.beforeSnap',
        'sealer.midSegments',
        'sealer.snapUnknown',
      ]);
      for (let fatal = 1; fatal <= points.length; fatal += 1) {
        const inner = newStore();
        let passed = 0;
        const dying = work(unsure(inner, fault), 1, (point) => {
          passed += 1;
          if (passed === fatal) throw new Crash(point);
        });
        await assert.rejects(dying, Crash, `crash ${fatal} at ${points[fatal - 1]}`);
        const again = await work(inner, 2, () => undefined);
        assert.deepEqual(await endState(inner, again), expected, `after the crash at ${points[fatal - 1]} (${fatal})`);
        await checkHistory(inner);
      }
    });
  }
});
