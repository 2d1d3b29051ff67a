/** Who works in a simulated centre. Each runs the project's own modules over the store of its process. */
import { closeMonth } from '../../functions/close/close.ts';
import type { Hindrance } from '../../functions/close/gate.ts';
import { putOrder } from '../../functions/close/order.ts';
import { pinnedSnapshots } from '../../functions/close/pinned-snapshots.ts';
import { storeRules } from '../../functions/close/rules.ts';
import { settledGate } from '../../functions/close/settled.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { type EarlierContents, earlierContents } from '../../functions/ingest/earlier.ts';
import { type IngestDependencies, type IngestOutcome, ingestObject, type Reading } from '../../functions/ingest/ingest-object.ts';
import { DEFAULT_LIMITS } from '../../functions/ingest/limits.ts';
import type { HeldContent } from '../../functions/ingest/release.ts';
import { type CollectReport, collect } from '../../functions/ledger/collect.ts';
import { type CompactReport, compact } from '../../functions/ledger/compact.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { objectIdOf, seenKey, utcDay } from '../../functions/ledger/keys.ts';
import { patientReads } from '../../functions/ledger/patient.ts';
import { reconcile } from '../../functions/ledger/reconcile.ts';
import { newestSnapshot, snapshotCommits, snapshotFiles } from '../../functions/ledger/snapshot.ts';
import { type LandedFile, type LandedObject, type ObjectStore, TransientStoreError } from '../../functions/ports.ts';
import { errorText } from '../../functions/watch/retry.ts';
import type { WatchState } from '../../functions/watch/state.ts';
import { type EachObject, type ObjectResult, Watch, type WatchStages } from '../../functions/watch/watch.ts';
import type { Centre } from './centre.ts';
import { monthBounds, planOf, rulesOfPrice, SIGNER } from './months.ts';
import type { SimProcess } from './process.ts';
import type { Message } from './queue.ts';
import { openRater } from './rater.ts';
import { FIRST_PARSER, rowsOf, SECOND_PARSER } from './rows.ts';
import { DAY_MS, HOUR_MS } from './world.ts';

/** As `kashi ingest` and the watcher open it. */
async function ingestDependencies({ world }: Centre, process: SimProcess): Promise<Omit<IngestDependencies, 'earlier'>> {
  return {
    store: process.store,
    writer: world.writer,
    pool: world.pool,
    clock: process.clock,
    limits: DEFAULT_LIMITS,
    newAttempt: () => world.newName('a'),
    reparse: false,
    heldContents: await heldNow(process.store),
    onBytes: () => {},
  };
}

async function heldNow(store: ObjectStore): Promise<HeldContent[]> {
  const snapshot = await newestSnapshot(patientReads(store));
  if (snapshot === null || Object.values(snapshot.totals).every(({ held }) => held === 0)) return [];
  const found: HeldContent[] = [];
  for await (const { cid, source, object, hold } of snapshotCommits(patientReads(store), snapshot))
    if (hold !== null) found.push({ cid, source, bytes: object.bytes });
  return found;
}

function readingOf({ hasSecondParser }: Centre): Reading {
  return hasSecondParser ? SECOND_PARSER : FIRST_PARSER;
}

async function ingestOne(centre: Centre, process: SimProcess, object: LandedObject, reparse = false): Promise<IngestOutcome> {
  const dependencies = await ingestDependencies(centre, process);
  let earlier: Promise<EarlierContents> | null = null;
  const outcome = await ingestObject(object, readingOf(centre), {
    ...dependencies,
    reparse,
    earlier: () => (earlier ??= earlierContents(patientReads(process.store))),
  });
  return outcome;
}

/** Takes messages until there is none: at least once each, acknowledged only when noted as committed (I6). */
export async function worker(centre: Centre, process: SimProcess): Promise<void> {
  const { world, queue } = centre;
  for (let message = queue.receive(world.now()); message !== null; message = queue.receive(world.now())) {
    const taken: Message = message;
    if (world.mutation.earlyAck === true) queue.acknowledge(taken);
    const object = centre.landing.version(taken.version, (what) => process.point(what));
    const done = await world.attempt(process, () => ingestOne(centre, process, object));
    if (!done) continue;
    if (world.disk.get(seenKey(object)) === null && world.mutation.unknownIsDone !== true)
      world.fail(`I6: ${object.name} is acknowledged and not noted`);
    queue.acknowledge(taken);
  }
}

/** The listing is the truth: what landed and is not noted is announced again. */
export async function reconciler(centre: Centre, process: SimProcess): Promise<void> {
  const { landing, queue } = centre;
  async function* listed(): AsyncGenerator<LandedObject & { version: number }> {
    await process.point('landing/');
    yield* landing.listing((what) => process.point(what));
  }
  for await (const { version } of reconcile(process.store, listed())) queue.send(version, centre.world.now());
}

/** A parser fix: what is committed is read again. */
export async function reparser(centre: Centre, process: SimProcess): Promise<void> {
  const { landing, plan } = centre;
  const all = landing.listing((what) => process.point(what));
  if (all.length === 0) return;
  await reparseObject(centre, process, plan.pick(all));
}

export async function reparseObject(centre: Centre, process: SimProcess, object: LandedObject): Promise<void> {
  await ingestOne(centre, process, object, true);
}

export async function sealer({ store, clock }: SimProcess, everything: boolean): Promise<void> {
  const days = [0, 1, 2].map((ago) => utcDay(clock.now() - ago * DAY_MS));
  await fold(store, clock, everything ? {} : { since: days });
}

export async function compactor({ world }: Centre, { store, clock }: SimProcess): Promise<CompactReport> {
  return await compact(store, clock, world.merger, { newAttempt: () => world.newName('c'), minFiles: 2 });
}

export async function collector({ world }: Centre, { store, clock }: SimProcess): Promise<CollectReport> {
  const { noGrace, ignorePins } = world.mutation;
  return await collect(store, clock, {
    pinned: ignorePins === true ? async () => [] : pinnedSnapshots,
    ...(noGrace === true ? { graceMs: 0 } : {}),
  });
}

/** Takes a snapshot and reads every row through it; what it finds must be what the snapshot says (I8). */
export async function reader({ world }: Centre, process: SimProcess): Promise<void> {
  const store = patientReads(process.store);
  const snapshot = await newestSnapshot(store);
  if (snapshot === null) return;
  const stated = snapshot.datasets.token_usage?.rows ?? 0;
  const found = world.mutation.readersGlob === true ? await globbedRows(store) : await snapshotRows(store, snapshot);
  if (found !== stated) world.fail(`I8: a reader of snapshot ${snapshot.n} saw ${found} rows, and it holds ${stated}`);
}

async function snapshotRows(store: ObjectStore, snapshot: Parameters<typeof snapshotFiles>[1]): Promise<number> {
  const read = new Map<string, ReturnType<typeof rowsOf>>();
  let found = 0;
  for (const { key, sha256, cid, rows: stated } of await snapshotFiles(store, snapshot, 'token_usage')) {
    const rows = read.get(key) ?? rowsOf(await wholeFile(store, key, sha256));
    read.set(key, rows);
    const own = rows.filter(({ object_id }) => object_id === objectIdOf(cid)).length;
    if (own !== stated) throw new Error(`I8: ${key} has ${own} rows of ${cid}, the snapshot says ${stated}`);
    found += own;
  }
  return found;
}

async function wholeFile(store: ObjectStore, key: string, sha256: string): Promise<Uint8Array> {
  const bytes = await store.get(key);
  if (bytes === null) throw new KashiError('store_corrupt', 'a file that a snapshot names is gone', { where: key });
  if (sha256Hex(bytes) !== sha256) throw new KashiError('store_corrupt', 'a file that a snapshot names has other bytes', { where: key });
  return bytes;
}

async function globbedRows(store: ObjectStore): Promise<number> {
  let found = 0;
  for await (const { key } of store.list('data/token_usage/')) found += rowsOf((await store.get(key))!).length;
  return found;
}

/** Closes every month that is over and has its turn. */
export async function closer(centre: Centre, process: SimProcess): Promise<void> {
  const { world } = centre;
  for (let turns = 0; turns < 24; turns += 1) {
    const period = centre.nextMonth();
    if (monthBounds(period).endMs > world.now()) return;
    const refused = await closeOne(centre, process, period);
    // Whoever closes looks again: what was in the way may be gone.
    if (refused !== null) throw new KashiError('conflict', `${period} is refused: ${refused}`);
  }
}

/** Somebody orders a closed month to be rated again at another price, as `kashi correct` does. */
export async function orderer(centre: Centre, { store, clock }: SimProcess): Promise<void> {
  const { plan } = centre;
  const period = centre.closedMonths().at(-plan.int(1, 3));
  if (period === undefined) return;
  const rules = rulesOfPrice(period, plan.int(1, 3));
  await storeRules(store, rules);
  const { ratesSha256: rates, sqlSha256: sql } = rules;
  const order = {
    period,
    cause: 'rerate',
    reason: 'another price',
    ordered_by: 'somebody',
    ordered_at_ms: clock.now(),
    rates,
    sql,
  } as const;
  await putOrder(patientReads(store), SIGNER, order);
}

/** Null when the month is closed; else what is in the way. */
async function closeOne(centre: Centre, process: SimProcess, period: string): Promise<string | null> {
  const { world } = centre;
  const { store } = process;
  // An empty warehouse has nothing to close.
  if ((await newestSnapshot(patientReads(store))) === null && (await fold(store, process.clock)) === null) return 'empty';
  const gate = await settledGate(patientReads(store), process.clock, () => gateOf(centre, process));
  const read = readerOf(store);
  const outcome = await closeMonth(
    {
      store: patientReads(store),
      signer: SIGNER,
      clock: process.clock,
      openEngine: (files) => openRater(files, read, raterOptions(centre, false)),
      openTwin: (files) => openRater(files, read, raterOptions(centre, true)),
      crash: (point) => process.reach(point),
    },
    planOf(period),
    gate,
  );
  if (outcome.state === 'refused') {
    const wrong = outcome.hindrances.filter(({ subject }) => /^(equation|earlier|conflicts):/.test(subject));
    if (wrong.length > 0) world.fail(`close of ${period}: ${wrong.map(({ problem }) => problem).join('; ')}`);
    return outcome.hindrances.map(({ subject }) => subject).join(', ');
  }
  centre.closed(period, outcome.signed.sha256);
  return null;
}

export function raterOptions({ world }: Centre, reversed: boolean): { reversed: boolean; dedupeWithinFile: boolean } {
  return { reversed, dedupeWithinFile: world.mutation.dedupeWithinFile === true };
}

/** A process opens each file once. */
export function readerOf(store: ObjectStore): (key: string) => Promise<Uint8Array> {
  const read = new Map<string, Uint8Array>();
  const patient = patientReads(store);
  return async (key) => {
    const bytes = read.get(key) ?? (await patient.get(key));
    if (bytes === null) throw new KashiError('store_corrupt', 'a file that a snapshot names is gone', { where: key });
    read.set(key, bytes);
    return bytes;
  };
}

/** As `kashi close` looks at the landing place: everything that lies there must be noted. */
async function gateOf(centre: Centre, process: SimProcess) {
  const hindrances: Hindrance[] = [];
  let objects = 0;
  let bytes = 0;
  async function* landed(): AsyncGenerator<LandedObject> {
    await process.point('landing/');
    for (const object of [...centre.landing.listing(() => process.point('')), ...centre.landing.files(() => process.point(''))]) {
      objects += 1;
      bytes += object.bytes;
      yield object;
    }
  }
  for await (const { name } of reconcile(process.store, landed()))
    hindrances.push({ subject: `landed:${name}`, problem: 'landed, but not ingested', waivable: false });
  return { facts: { landed_objects: objects, landed_bytes: bytes }, hindrances };
}

/** The real watcher over the folder of logs, for one pass or until its time is up. One runs at a time, as on a machine. */
export async function watcher(centre: Centre, process: SimProcess, forMs: number | null): Promise<void> {
  const { world } = centre;
  const stop = new AbortController();
  if (forMs !== null) void world.sleep(forMs).then(() => stop.abort());
  const watch = new Watch(
    watchStages(centre, process),
    {
      clock: process.clock,
      sleep: async (ms) => {
        await world.sleep(Math.max(1, ms));
        await process.point('sleep');
      },
      former: centre.watchState === null ? null : { state: centre.watchState, died: centre.watchState.ended_at_ms === null },
      process: { host: 'simulated', pid: 1 },
      saveState: (state: WatchState) => {
        centre.watchState = state;
      },
      report: ({ failed, faults }) => {
        const text = [...failed, ...faults]
          .map(({ error }) => error)
          .find((error) => !/(lost|landed without an answer|timed out): /.test(error));
        // What lies behind a stall of a week may be collected by then.
        if (text !== undefined && process.ageMs < 6 * DAY_MS && !/conflict|older|too old|took/.test(text)) world.fail(`watcher: ${text}`);
      },
    },
    { cycleMs: 10_000, settleMs: 10_000, foldMs: 60_000, billMs: HOUR_MS, tidyMs: DAY_MS, once: forMs === null },
  );
  await watch.run(stop.signal);
}

/** As functions/cli/watch-stages.ts puts them together, on this world's ports. */
function watchStages(centre: Centre, process: SimProcess): WatchStages {
  const { landing } = centre;
  const point = (what: string): Promise<void> => process.point(what);
  const { store } = process;
  let earlier: Promise<EarlierContents> | null = null;
  return {
    list: async () => {
      await point('logs/');
      return landing.files(point);
    },
    seen: async (listing) => {
      const seen = new Set(listing);
      for await (const file of reconcile(store, asAsync(listing))) seen.delete(file);
      return seen;
    },
    mended: async () => null,
    ingest: async (objects, each) => {
      try {
        earlier ??= earlierContents(patientReads(store));
        await ingestEach(centre, process, objects, await earlier, each);
      } catch (error) {
        earlier = null;
        throw error;
      }
    },
    fold: async (commits) => (await fold(store, process.clock, commits === null ? {} : { commits }))?.n ?? null,
    refresh: async () => null,
    tidy: async () => {
      const { groups } = await compactor(centre, process);
      const { garbage } = await collector(centre, process);
      const merged = groups.reduce((sum, { files, outcome }) => sum + (outcome === 'compacted' ? files : 0), 0);
      return { merged, deleted: garbage.length, deleted_bytes: garbage.reduce((sum, { bytes }) => sum + bytes, 0) };
    },
  };
}

async function* asAsync(files: readonly LandedFile[]): AsyncGenerator<LandedFile> {
  yield* files;
}

async function ingestEach(
  centre: Centre,
  process: SimProcess,
  objects: readonly LandedObject[],
  earlier: EarlierContents,
  each: EachObject,
): Promise<void> {
  const dependencies = await ingestDependencies(centre, process);
  for (const object of objects) {
    if (each.enough()) return;
    each.before(object);
    let result: ObjectResult;
    try {
      result = { outcome: await ingestObject(object, readingOf(centre), { ...dependencies, earlier: async () => earlier }) };
    } catch (error) {
      if (error instanceof TransientStoreError) throw error;
      const moved = error instanceof KashiError && (error.code === 'gone' || error.code === 'conflict');
      result = moved ? { moved: true } : { error: errorText(error) };
    }
    each.after(object, result);
    if ('error' in result) return;
  }
}
