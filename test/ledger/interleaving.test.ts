/** Whatever the order of events and wherever a process dies, the same commits end in the same history. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type CrashPoint, commit, markSeen, readCommit } from '../../functions/ledger/commit.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { newestSnapshot, readSnapshot, type Snapshot, snapshotCommits, verifyChain } from '../../functions/ledger/snapshot.ts';
import { sumFrom } from '../../functions/ledger/totals.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { type Fault, faultyStore, scheduled } from './faulty-store.ts';
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

describe('a crash', () => {
  class Crash extends Error {}

  type Step = (store: ObjectStore, attempt: string, crash: (point: CrashPoint) => void) => Promise<unknown>;

  /** Enough to pass every crash point: two folds, a replacement in a full segment, an open segment. */
  const STEPS: readonly Step[] = [
    (store, attempt, crash) => ingest(store, { content: 'first', attempt }, crash),
    (store, _, crash) => fold(store, CLOCK, { crash }),
    (store, attempt, crash) => ingest(store, { content: 'late', attempt }, crash),
    (store, attempt, crash) => ingest(store, { content: 'bulk 2', attempt, generation: 1, rows: 8 }, crash),
    (store, _, crash) => fold(store, CLOCK, { crash }),
  ];

  /** Takes every step. A step that dies is taken again by another process, which knows nothing of the first and is another attempt. */
  async function work(store: ObjectStore, crash: (point: CrashPoint) => void): Promise<number> {
    let crashes = 0;
    for (const [place, step] of STEPS.entries()) {
      try {
        await step(store, `s${place}-first`, crash);
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        crashes += 1;
        await step(store, `s${place}-again`, crash);
      }
    }
    return crashes;
  }

  /** The end state without the names of attempts, which differ by design. */
  async function endState(store: ObjectStore): Promise<unknown> {
    const snapshot = (await newestSnapshot(store))!;
    const commits = await readAll(snapshotCommits(store, snapshot));
    return {
      n: snapshot.n,
      totals: [snapshot.totals, snapshot.quarantine, snapshot.datasets],
      segments: snapshot.segments.map(({ entries, first, last, dropped }) => ({ entries, first, last, dropped })),
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

  async function withBulk(commits: number): Promise<ObjectStore> {
    const store = newStore();
    for (let place = 0; place < commits; place += 1) await ingest(store, { content: `bulk ${place}` });
    return store;
  }

  async function copyOf(store: ObjectStore): Promise<ObjectStore> {
    const copy = newStore();
    for await (const { key } of store.list('')) await copy.putIfAbsent(key, (await store.get(key))!);
    return copy;
  }

  // A thousand and more once: the replaced commit then lies in a full segment.
  for (const [fault, commits] of [
    ['lost', 4],
    ['landed', 1003],
    ['late', 4],
  ] as const) {
    test(`at each point, then the step again, ends as if nothing had happened (outcomes ${fault}, ${commits} commits before)`, async () => {
      const bulk = await withBulk(commits);
      const points: CrashPoint[] = [];
      const clean = await copyOf(bulk);
      await work(unsure(clean, fault), (point) => void points.push(point));
      const expected = await endState(clean);
      await checkHistory(clean);
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
        const store = await copyOf(bulk);
        let passed = 0;
        const crashes = await work(unsure(store, fault), (point) => {
          passed += 1;
          if (passed === fatal) throw new Crash(point);
        });
        assert.equal(crashes, 1);
        assert.deepEqual(await endState(store), expected, `after the crash at ${points[fatal - 1]} (${fatal})`);
        assert.equal(await verifyChain(store), 2);
      }
    });
  }
});
