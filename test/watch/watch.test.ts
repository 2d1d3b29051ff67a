/** The loop on a clock of its own: what is due when, and what a failing stage does to the others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IngestOutcome } from '../../functions/ingest/ingest-object.ts';
import type { LandedFile } from '../../functions/ports.ts';
import type { WatchState } from '../../functions/watch/state.ts';
import { type CycleReport, Watch, type WatchOptions, type WatchStages } from '../../functions/watch/watch.ts';
import { recordOf } from '../ledger/records.ts';

const MINUTE = 60_000;
const OPTIONS: WatchOptions = {
  cycleMs: 5_000,
  settleMs: 10_000,
  foldMs: MINUTE,
  billMs: 60 * MINUTE,
  tidyMs: 24 * 60 * MINUTE,
  once: false,
};

interface Bench {
  /** What happened: [seconds since the start, what]. */
  readonly log: [number, string][];
  readonly reports: CycleReport[];
  readonly states: WatchState[];
  readonly landing: Map<string, number>;
  /** Stages that throw at present; and objects that fail. */
  readonly broken: Set<string>;
  mended: string[] | null;
  run(untilSeconds: number): Promise<CycleReport>;
}

function bench(
  options: Partial<WatchOptions> = {},
  former: { state: WatchState; died: boolean } | null = null,
  seen: readonly string[] = [],
): Bench {
  let nowMs = 1e12;
  const startMs = nowMs;
  let snapshot = 0;
  const stop = new AbortController();
  let untilMs = Number.POSITIVE_INFINITY;
  const log: [number, string][] = [];
  const reports: CycleReport[] = [];
  const states: WatchState[] = [];
  const landing = new Map<string, number>();
  const broken = new Set<string>();
  const say = (what: string): void => void log.push([(nowMs - startMs) / 1_000, what]);
  const fail = (stage: string): void => {
    if (!broken.has(stage)) return;
    say(`${stage} fails`);
    throw new Error(`${stage} is broken`);
  };
  const listing = (): LandedFile[] =>
    [...landing]
      .filter(([, atMs]) => startMs + atMs <= nowMs)
      .map(([name, atMs]) => ({ name, bytes: 10, lastModifiedMs: startMs + atMs, open: async function* () {}, wholeLines: () => null }));
  const stages: WatchStages = {
    list: async () => {
      fail('look');
      return listing();
    },
    seen: async (all) => new Set(all.filter(({ name }) => seen.includes(name))),
    mended: async () => {
      const names = result.mended;
      result.mended = null;
      return names;
    },
    ingest: async (objects, each) => {
      fail('ingest');
      for (const object of objects) {
        if (each.enough()) return;
        each.before(object);
        nowMs += object.name.startsWith('slow') ? 40_000 : 0;
        if (broken.has(object.name)) each.after(object, { error: 'bad disk' });
        else {
          say(`in ${object.name}`);
          const record = recordOf({ content: object.name, name: object.name });
          each.after(object, {
            outcome: { name: object.name, bytes: 10, outcome: 'committed', record, released: [] } satisfies IngestOutcome,
          });
        }
      }
    },
    fold: async (commits) => {
      fail('fold');
      if (commits === null && snapshot === 0 && log.every(([, what]) => !what.startsWith('in '))) return null;
      snapshot++;
      say(`fold ${commits === null ? 'all' : commits.length}`);
      return snapshot;
    },
    refresh: async (since) => {
      fail('bill');
      say(`bill since ${since}`);
      return { snapshot, bills: [] };
    },
    tidy: async () => {
      fail('tidy');
      say('tidy');
      return { merged: 3, deleted: 2, deleted_bytes: 20 };
    },
  };
  const watch = (): Watch =>
    new Watch(
      stages,
      {
        clock: { now: () => nowMs },
        sleep: async (ms) => {
          nowMs += ms;
          if (nowMs >= untilMs) stop.abort();
        },
        former,
        process: { host: 'h', pid: 1 },
        saveState: (state) => void states.push(state),
        report: (cycle) => void reports.push(structuredClone(cycle)),
      },
      { ...OPTIONS, ...options },
    );
  const result: Bench = {
    log,
    reports,
    states,
    landing,
    broken,
    mended: null,
    run: async (untilSeconds) => {
      untilMs = startMs + untilSeconds * 1_000;
      return await watch().run(stop.signal);
    },
  };
  return result;
}

const only = (log: readonly [number, string][], what: RegExp): [number, string][] => log.filter(([, text]) => what.test(text));

describe('the schedule', () => {
  it('bills at the start and every hour, and folds nothing where nothing lands', async () => {
    const one = bench();
    await one.run(3 * 3_600 + 60);
    assert.deepEqual(
      only(one.log, /bill/).map(([at]) => at),
      [0, 3_600, 7_200, 10_800],
    );
    assert.deepEqual(only(one.log, /fold \d/), []);
  });

  it('folds what came in, at once after a quiet minute, and then once a minute', async () => {
    const one = bench();
    for (const [name, at] of [
      ['a', 200],
      ['b', 210],
      ['c', 220],
      ['d', 500],
    ] as const)
      one.landing.set(name, at * 1_000);
    await one.run(900);
    assert.deepEqual(only(one.log, /in |fold \d/), [
      [210, 'in a'],
      [210, 'fold 1'],
      [220, 'in b'],
      [230, 'in c'],
      [270, 'fold 2'],
      [510, 'in d'],
      [510, 'fold 1'],
    ]);
  });

  it('the first bill waits for what lies there at the start; the hourly one looks for commits of others too', async () => {
    const one = bench();
    one.landing.set('a', 0);
    await one.run(3_700);
    assert.deepEqual(only(one.log, /./).slice(0, 3), [
      [10, 'in a'],
      [10, 'fold 1'],
      [10, 'bill since 0'],
    ]);
    assert.equal(only(one.log, /fold all/).length, 1);
    assert.deepEqual(only(one.log, /bill/).at(-1), [3_610, 'bill since 1']);
  });

  it('a backlog does not keep folds waiting', async () => {
    const one = bench();
    for (let n = 0; n < 5; n++) one.landing.set(`slow${n}`, 0);
    await one.run(400);
    assert.deepEqual(
      only(one.log, /in |fold \d/).map(([, what]) => what),
      ['in slow0', 'in slow1', 'fold 2', 'in slow2', 'in slow3', 'fold 2', 'in slow4', 'fold 1'],
    );
  });

  it('tidies up after the first bill and then once a day, whichever watcher did it last', async () => {
    const one = bench({ cycleMs: 10 * MINUTE });
    await one.run(49 * 3_600);
    assert.deepEqual(only(one.log, /tidy/), [
      [0, 'tidy'],
      [24 * 3_600, 'tidy'],
      [48 * 3_600, 'tidy'],
    ]);
    assert.equal(one.log.findIndex(([, what]) => what === 'tidy') > one.log.findIndex(([, what]) => what.startsWith('bill')), true);
    assert.deepEqual(
      one.reports.flatMap(({ tidied }) => (tidied === null ? [] : [tidied])),
      Array.from({ length: 3 }, () => ({ merged: 3, deleted: 2, deleted_bytes: 20 })),
    );
    const state = one.states.at(-1)!;
    const hoursAgo = (hours: number): WatchState => ({ ...state, tidy: { at_ms: 1e12 - hours * 60 * MINUTE } });
    const early = bench({ once: true }, { state: hoursAgo(23), died: false });
    await early.run(60);
    assert.deepEqual(only(early.log, /tidy/), []);
    const late = bench({ once: true }, { state: hoursAgo(24), died: false });
    await late.run(60);
    assert.equal(only(late.log, /tidy/).length, 1);
  });

  it('a fault while tidying up keeps nothing else waiting', async () => {
    const one = bench();
    one.landing.set('a', 0);
    one.broken.add('tidy');
    await one.run(3_700);
    assert.equal(only(one.log, /^tidy$/).length, 0);
    assert.ok(only(one.log, /tidy fails/).length > 2);
    assert.deepEqual(
      only(one.log, /in |bill/).map(([, what]) => what),
      ['in a', 'bill since 0', 'bill since 1'],
    );
    assert.equal(one.states.at(-1)?.faults[0]?.stage, 'tidy');
  });

  it('reads nothing that is noted as committed, unless the configuration reads it in another way', async () => {
    const one = bench({}, null, ['a', 'b']);
    one.landing.set('a', 0).set('b', 0).set('c', 0);
    one.mended = ['b'];
    await one.run(60);
    assert.deepEqual(
      only(one.log, /in /).map(([, what]) => what),
      ['in b', 'in c'],
    );
  });
});

describe('a fault', () => {
  it('of one object leaves the others alone, and is tried again with growing waits', async () => {
    const one = bench();
    one.landing.set('bad', 0).set('good', 0);
    one.broken.add('bad');
    await one.run(120);
    assert.deepEqual(only(one.log, /in /), [[10, 'in good']]);
    const failed = one.reports.filter(({ failed: some }) => some.length > 0);
    assert.deepEqual(
      failed.map(({ at_ms }) => (at_ms - 1e12) / 1_000),
      [10, 15, 25, 45, 85],
    );
    assert.deepEqual(failed[0]?.failed, [{ name: 'bad', error: 'bad disk' }]);
    const last = one.states.at(-1)!;
    assert.deepEqual(last.failing, [{ name: 'bad', last_modified_ms: 1e12, tries: 5, next_try_at_ms: 1e12 + 165_000, error: 'bad disk' }]);
    assert.equal(last.ok_at_ms, 1e12 + 5_000, 'not well since');
  });

  it('of a stage leaves the others running, and nothing that waits for it is forgotten', async () => {
    const one = bench();
    one.landing.set('a', 0).set('b', 20_000);
    one.broken.add('fold').add('bill');
    fromSecond(one, 300, () => one.broken.clear());
    await one.run(900);
    assert.deepEqual(
      only(one.log, /in /).map(([, what]) => what),
      ['in a', 'in b'],
    );
    assert.ok(only(one.log, /fold fails/).length >= 3 && only(one.log, /bill fails/).length >= 3);
    const folds = only(one.log, /fold (all|\d)/);
    assert.equal(folds.length, 1, 'all that waited, in one snapshot');
    assert.equal(only(one.log, /bill since/).length, 1);
    assert.deepEqual(one.states.at(-1)?.faults, []);
  });

  it('of ingest may have stored what nobody was told of: everything is folded next', async () => {
    const one = bench();
    one.landing.set('a', 0).set('b', 100_000);
    fromSecond(one, 110, () => one.broken.clear());
    fromSecond(one, 90, () => one.broken.add('ingest'));
    await one.run(300);
    const what = only(one.log, /^in|fold/).map(([, text]) => text);
    assert.deepEqual(what, ['in a', 'fold 1', 'ingest fails', 'fold all', 'in b', 'fold 1']);
  });

  it('of the landing folder keeps folds and bills going', async () => {
    const one = bench();
    one.broken.add('look');
    await one.run(3_700);
    assert.deepEqual(
      only(one.log, /bill/).map(([at]) => at),
      [0, 3_600],
    );
    assert.equal(one.states.at(-1)?.faults[0]?.stage, 'look');
  });
});

/** Runs `act` in the first report after so many seconds of the bench's own time. */
function fromSecond(one: Bench, seconds: number, act: () => void): void {
  const push = one.reports.push.bind(one.reports);
  one.reports.push = (...items) => {
    if (items.some(({ at_ms }) => at_ms >= 1e12 + seconds * 1_000)) act();
    return push(...items);
  };
}

describe('a new process', () => {
  const STATE: WatchState = {
    host: 'h',
    pid: 9,
    started_at_ms: 1,
    ended_at_ms: null,
    cycle_at_ms: 1e12 - 1_000,
    ok_at_ms: 1e12 - 9_000,
    waiting: 0,
    in_hand: { name: 'deadly', last_modified_ms: 1e12, since_ms: 1e12 - 1_000 },
    failing: [{ name: 'bad', last_modified_ms: 1e12, tries: 4, next_try_at_ms: 1e12 + 40_000, error: 'bad disk' }],
    faults: [],
    fold: { snapshot: 7, at_ms: 1e12 - 30_000 },
    bill: { snapshot: 7, at_ms: 1e12 - 30 * MINUTE },
  };

  it('goes on with the waits of the one before, and puts off the object over which that one died', async () => {
    const one = bench(
      { settleMs: 0 },
      {
        state: {
          ...STATE,
          failing: [...STATE.failing, { name: 'deadly', last_modified_ms: 1e12, tries: 2, next_try_at_ms: 0, error: 'x' }],
        },
        died: true,
      },
    );
    one.landing.set('bad', 0).set('deadly', 0).set('fine', 0);
    await one.run(120);
    assert.deepEqual(only(one.log, /in /), [
      [0, 'in fine'],
      [20, 'in deadly'],
      [40, 'in bad'],
    ]);
    assert.deepEqual(one.states.at(-1)?.failing, []);
  });

  it('trusts the one before that ended in order', async () => {
    const one = bench({ settleMs: 0 }, { state: STATE, died: false });
    one.landing.set('deadly', 0);
    await one.run(10);
    assert.deepEqual(only(one.log, /in /), [[0, 'in deadly']]);
  });

  it('names the object in hand before it is read', async () => {
    const one = bench({ settleMs: 0 });
    one.landing.set('a', 0);
    await one.run(10);
    assert.ok(one.states.some(({ in_hand }) => in_hand?.name === 'a'));
    assert.equal(one.states.at(-1)?.in_hand, null);
    assert.notEqual(one.states.at(-1)?.ended_at_ms, null);
  });
});

describe('one pass', () => {
  it('waits once for files that may be written still, folds, bills when the hour is over, and tidies up when the day is', async () => {
    const one = bench({ once: true });
    one.landing.set('a', 0).set('late', 9_000);
    const report = await one.run(1e6);
    assert.deepEqual(one.log, [
      [10, 'in a'],
      [10, 'fold 1'],
      [10, 'bill since 0'],
      [10, 'tidy'],
    ]);
    assert.deepEqual([report.committed, report.snapshot, report.waiting], [1, 1, 1]);
  });

  it('ends at once where there is nothing to do', async () => {
    const former = {
      host: 'h',
      pid: 9,
      started_at_ms: 1,
      ended_at_ms: 2,
      cycle_at_ms: 2,
      ok_at_ms: 2,
      waiting: 0,
      in_hand: null,
      failing: [],
      faults: [],
    };
    const tidy = { at_ms: 1e12 - 23 * 60 * MINUTE };
    const state: WatchState = { ...former, tidy, fold: { snapshot: 1, at_ms: 1e12 - 1 }, bill: { snapshot: 1, at_ms: 1e12 - 59 * MINUTE } };
    const one = bench({ once: true }, { state, died: false }, ['a']);
    one.landing.set('a', 0);
    await one.run(1e6);
    assert.deepEqual(one.log, []);
    assert.equal(one.reports.length, 1);
  });
});
