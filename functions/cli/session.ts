/** A centre's newest snapshot, opened on the engine with its reference rows: what bill, explain, export and query share. */

import type { LineEquation } from '../billing/bill-document.ts';
import { verifyFiles } from '../close/files.ts';
import { edgeRolloutRows } from '../distribution/live-interval.ts';
import { buildReferences } from '../domain/build-reference.ts';
import { KashiError } from '../domain/errors.ts';
import { type Period, periodOf, periodsTouching } from '../domain/period.ts';
import type { ReferenceRows } from '../domain/reference.ts';
import { newestSnapshot, type Snapshot, snapshotFiles } from '../ledger/snapshot.ts';
import type { Warehouse } from '../ports.ts';
import type { Model } from '../warehouse/model.ts';
import { loadModels } from '../warehouse/run.ts';
import { type Centre, openEngine, readSqlFiles } from './wiring.ts';

export interface Session {
  readonly centre: Centre;
  readonly snapshot: Snapshot;
  readonly warehouse: Warehouse;
  readonly models: readonly Model[];
  readonly periods: readonly Period[];
}

/**
 * Opens the newest snapshot. `period` null: every period that the data touches.
 * Errors: KashiError not_found for a warehouse in which nothing was ingested, store_corrupt for a file whose bytes are not those that were committed.
 */
export async function openSession(centre: Centre, period: string | null): Promise<Session> {
  const { config } = centre;
  const asked = period === null ? null : periodOf(period, config.timeZone);
  const snapshot = await ingestedSnapshot(centre);
  const files = await snapshotFiles(centre.store, snapshot);
  // The engine does not notice a changed byte: it would be summed. Another one reads where the data is; a close compares every byte all the same.
  if (centre.engine === 'duckdb') await verifyFiles(centre.store, files);
  const warehouse = await openEngine(centre, files);
  try {
    const periods = asked === null ? await periodsInData(warehouse, config.timeZone) : [asked];
    await warehouse.loadReference(await referenceOf(centre, periods));
    return { centre, snapshot, warehouse, models: loadModels(readSqlFiles()), periods };
  } catch (error) {
    await warehouse.close();
    throw error;
  }
}

/** The newest snapshot. Errors: KashiError not_found for a warehouse in which nothing was ingested. */
export async function ingestedSnapshot(centre: Centre): Promise<Snapshot> {
  const snapshot = await newestSnapshot(centre.store);
  if (snapshot !== null) return snapshot;
  throw new KashiError('not_found', 'the warehouse is empty', {
    where: centre.warehousePlace,
    allowed: 'a warehouse into which something was ingested',
    hint: 'kashi ingest <paths>',
  });
}

/** The reference rows of these months, by the configuration as it is and what the fleet did. */
export async function referenceOf(centre: Centre, periods: readonly Period[]): Promise<ReferenceRows> {
  const { config, priceBook, tenants, inventory, catalog } = centre;
  const reference = buildReferences({ config, priceBook, tenants, inventory, catalog }, periods);
  return { ...reference, ref_edge_rollout: await edgeRolloutRows(centre.store) };
}

/** Opens, uses, closes. */
export async function withSession<T>(centre: Centre, period: string | null, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession(centre, period);
  try {
    return await use(session);
  } finally {
    await session.warehouse.close();
  }
}

/** First and last instants of the facts, in one row a dataset: they can be put together over any files. */
export const DATA_SPANS = `
  select min(event_at_ms) as first_ms, max(event_at_ms) as last_ms from raw_token_usage
  union all
  select min(start_at_ms), max(coalesce(end_at_ms, observed_at_ms)) from raw_allocation_event
  union all
  select min(sampled_at_ms), max(sampled_at_ms) from raw_gpu_sample
  union all
  select min(observed_at_ms), max(observed_at_ms) from raw_scheduler_event`;

/** Months in which something happened, at most 240; an open allocation reaches to where it was last seen. */
export async function periodsInData(warehouse: Warehouse, timeZone: string, spans: string = DATA_SPANS): Promise<Period[]> {
  const { rows } = await warehouse.query(`select min(first_ms), max(last_ms) from (${spans}) as spans`);
  const [first, last] = rows[0] ?? [];
  if (first === null || first === undefined || last === null || last === undefined) return [];
  return periodsTouching(Number(first), Math.max(Number(last), Number(first)) + 1, timeZone).slice(-240);
}

/** The line equation over everything in a snapshot; residual 0 or something was lost. */
export function lineEquation(snapshot: Snapshot): LineEquation {
  const sum = (member: 'physical' | 'valid' | 'quarantined' | 'blank'): number =>
    Object.values(snapshot.totals).reduce((total, source) => total + source[member], 0);
  const [physical, valid, quarantined, blank] = [sum('physical'), sum('valid'), sum('quarantined'), sum('blank')];
  return { physical, valid, quarantined, blank, residual: physical - valid - quarantined - blank };
}
