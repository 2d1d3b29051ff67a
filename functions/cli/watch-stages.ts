/** The stages that `kashi watch` runs, on one machine: the same functions as the commands of their names. */
import type { BillDocument } from '../billing/bill-document.ts';
import { readChain } from '../close/statement.ts';
import { PARSER_VERSION } from '../contract.ts';
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { periodsTouching } from '../domain/period.ts';
import { type EarlierContents, earlierContents } from '../ingest/earlier.ts';
import { ingestObject } from '../ingest/ingest-object.ts';
import { type CommitFile, type CommitRecord, readCommit } from '../ledger/commit.ts';
import { fold } from '../ledger/fold.ts';
import { reconcile } from '../ledger/reconcile.ts';
import { newestSnapshot, type Snapshot, snapshotCommits } from '../ledger/snapshot.ts';
import { type LandedFile, type LandedObject, type ObjectStore, TransientStoreError } from '../ports.ts';
import type { CheckResult } from '../warehouse/run.ts';
import { errorText } from '../watch/retry.ts';
import type { EachObject, ObjectResult, RefreshedBill, WatchStages } from '../watch/watch.ts';
import { rate } from './bill.ts';
import { collectCentre } from './collect.ts';
import { compactCentre } from './compact.ts';
import { numbersAsText } from './config-file.ts';
import { readings, withIngest } from './ingest.ts';
import { withRolledSession } from './rolled-session.ts';
import { type Centre, trustedKey } from './wiring.ts';
import { listLandedFiles, writeProvisionalBill } from './wiring-watch.ts';

/** A provisional bill as it lies in the warehouse: what `kashi bill --json` printed at that instant. */
export interface ProvisionalBill extends BillDocument {
  readonly checks: readonly CheckResult[];
  readonly refreshed_at_ms: number;
}

/** Months that one refresh makes at most, the newest. */
const MOST_PERIODS = 24;
const MOST_FUTURE_MS = 31 * 24 * 3_600_000;

/** `open` reads the configuration, for each piece of work anew: an edit counts from then on. `paths`: where to look. */
export function watchStages(open: () => Centre, paths: (centre: Centre) => readonly string[]): WatchStages {
  let centre = open();
  let stamp: string | null = null;
  let earlier: Promise<EarlierContents> | null = null;
  return {
    list: async (unreadable) => listLandedFiles(paths(centre), centre, unreadable),
    seen: (listing) => seenOf(centre, listing),
    mended: async () => {
      centre = open();
      const now = readingStamp(centre);
      if (now === stamp) return null;
      const names = await mendedNames(centre);
      stamp = now;
      return names;
    },
    ingest: async (objects, each) => {
      try {
        earlier ??= earlierContents(centre.store);
        await ingestEach(centre, objects, await earlier, each);
      } catch (error) {
        // What failed may have been committed all the same; the next snapshot says.
        earlier = null;
        throw error;
      }
    },
    fold: async (commits) => (await fold(centre.store, centre.clock, commits === null ? {} : { commits }))?.n ?? null,
    refresh: async (since) => {
      centre = open();
      return await refreshBills(centre, since);
    },
    tidy: async () => {
      centre = open();
      const { groups } = await compactCentre(centre);
      const { garbage } = await collectCentre(centre);
      return {
        merged: groups.reduce((sum, { files, outcome }) => sum + (outcome === 'compacted' ? files : 0), 0),
        deleted: garbage.length,
        deleted_bytes: garbage.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    },
  };
}

async function seenOf({ store }: Centre, listing: readonly LandedFile[]): Promise<Set<LandedFile>> {
  const seen = new Set(listing);
  for await (const file of reconcile(store, asAsync(listing))) seen.delete(file);
  return seen;
}

async function* asAsync<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

/** Changes when the configuration may read a landed object in another way. */
function readingStamp(centre: Centre): string {
  const { sources, limits, defaultSite } = centre.config;
  const maps = sources.map(({ map }) => (map === null ? null : centre.readBeside(map)));
  return sha256Hex(canonicalJson(numbersAsText({ sources, limits, defaultSite, maps })));
}

async function mendedNames(centre: Centre): Promise<string[]> {
  const snapshot = await newestSnapshot(centre.store);
  if (snapshot === null || Object.values(snapshot.totals).every(({ held }) => held === 0)) return [];
  const readingOf = readings(centre, {});
  const names: string[] = [];
  for await (const { hold, object, config_hash, parser_version } of snapshotCommits(centre.store, snapshot))
    if (hold !== null && (parser_version !== PARSER_VERSION || config_hash !== readingOf(object.name).configHash)) names.push(object.name);
  return names;
}

async function ingestEach(centre: Centre, objects: readonly LandedObject[], earlier: EarlierContents, each: EachObject): Promise<void> {
  const readingOf = readings(centre, {});
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  await withIngest(centre, {}, bytes, async (dependencies) => {
    for (const object of objects) {
      if (each.enough()) return;
      each.before(object);
      let result: ObjectResult;
      try {
        const outcome = await ingestObject(object, readingOf(object.name), {
          ...dependencies,
          earlier: async () => earlier,
          onBytes: () => {},
        });
        result = { outcome };
      } catch (error) {
        result = resultOf(error);
      }
      each.after(object, result);
      // The threads may have died with it: the next batch has new ones.
      if ('error' in result) return;
    }
  });
}

/** Errors: those that are not the object's fault; the whole stage waits then. */
function resultOf(error: unknown): ObjectResult {
  if (error instanceof TransientStoreError) throw error;
  if (error instanceof KashiError) {
    if (error.code === 'store_unsuitable') throw error;
    if (error.code === 'gone' || error.code === 'conflict') return { moved: true };
  }
  return { error: errorText(error) };
}

async function refreshBills(centre: Centre, since: number): ReturnType<WatchStages['refresh']> {
  return await refreshedBills(centre, since, async (bill) => writeProvisionalBill(centre, bill));
}

/** Makes the provisional bills of the running month and of every month that changed after snapshot `since`, and hands them over one by one. */
export async function refreshedBills(
  centre: Centre,
  since: number,
  keep: (bill: ProvisionalBill) => Promise<void>,
): ReturnType<WatchStages['refresh']> {
  const snapshot = await newestSnapshot(centre.store);
  if (snapshot === null) return null;
  // A closed month stays as issued: what came in since is a correction on the first open one.
  const closed = new Set((await readChain(centre.store, trustedKey(centre, null))).map(({ value }) => value.period));
  const periods = (await periodsToRefresh(centre, snapshot, since)).filter((period) => !closed.has(period)).slice(-MOST_PERIODS);
  const bills: RefreshedBill[] = [];
  for (const period of periods) {
    const { document, checks } = await withRolledSession(centre, period, (session) => rate(session, period, null));
    const bill: ProvisionalBill = { ...document, checks, refreshed_at_ms: centre.clock.now() };
    await keep(bill);
    bills.push({ period, currency: document.currency, total: document.total, unrated: document.unrated.length });
  }
  return { snapshot: snapshot.n, bills };
}

/**
 * The running month, and every month from the first in which something came in, or was replaced, after snapshot `since`: an allocation that
 * began in it may reach into all later ones. In time order.
 */
async function periodsToRefresh(centre: Centre, snapshot: Snapshot, since: number): Promise<string[]> {
  const { store, clock, config } = centre;
  let firstMs = clock.now();
  let endMs = clock.now() + 1;
  for await (const commit of snapshotCommits(store, snapshot)) {
    if (commit.fold_seq <= since) continue;
    for (const { dataset, min_ms, max_ms } of await filesOfGenerations(store, commit)) {
      if (dataset === 'quarantine') continue;
      firstMs = Math.min(firstMs, min_ms);
      endMs = Math.max(endMs, max_ms + 1);
    }
  }
  // A row that claims to be from a far future must not push out the months that count.
  return periodsTouching(firstMs, Math.min(endMs, clock.now() + MOST_FUTURE_MS), config.timeZone).map(({ period }) => period);
}

/** Its files, and those that it replaced: rows may have left a month. */
async function filesOfGenerations(store: ObjectStore, { cid, generation, files }: CommitRecord): Promise<CommitFile[]> {
  const all = [...files];
  for (let former = generation - 1; former >= 0; former--) all.push(...((await readCommit(store, cid, former))?.files ?? []));
  return all;
}
