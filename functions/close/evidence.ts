/** How a bill was come by: what was pinned, which equations hold, what was waived. Signed with the bill, but no part of its digest. */

import type { LineEquation } from '../billing/bill-document.ts';
import { records, type TextRecord } from '../billing/bill-document.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import type { Snapshot } from '../ledger/snapshot.ts';
import type { ObjectStore, Warehouse } from '../ports.ts';
import type { CheckResult } from '../warehouse/run.ts';
import type { ClosedBill } from './bill-object.ts';
import type { Equation } from './equation.ts';
import { objectKey } from './keys.ts';
import type { StoredPin } from './pin.ts';
import { readHashed } from './rules.ts';
import type { StoredWaiver } from './waiver.ts';

export interface SourceHours {
  readonly source: string;
  readonly site_id: string;
  /** Hours of the month with at least one row, and all its hours. */
  readonly hours_with_data: number;
  readonly hours: number;
  readonly rows: number;
}

export interface Evidence {
  readonly format: 'kashi.evidence/1';
  readonly period: string;
  /** SHA-256 of the bill. */
  readonly bill: string;
  readonly pin: StoredPin;
  readonly lines: LineEquation;
  readonly sources: Snapshot['totals'];
  readonly quarantine: Snapshot['quarantine'];
  readonly equations: readonly Equation[];
  readonly findings: readonly CheckResult[];
  readonly waivers: readonly StoredWaiver[];
  readonly hours: readonly SourceHours[];
}

/** Errors: KashiError store_corrupt when it is missing or any byte differs. */
export async function readEvidence(store: ObjectStore, sha256: string): Promise<Evidence> {
  return await readHashed<Evidence>(store, objectKey(sha256), sha256);
}

export function evidenceOf(
  bill: ClosedBill,
  billSha256: string,
  pin: StoredPin,
  snapshot: Snapshot,
  equations: readonly Equation[],
  checks: readonly CheckResult[],
  waivers: readonly StoredWaiver[],
  hours: readonly SourceHours[],
): Evidence {
  return {
    format: 'kashi.evidence/1',
    period: bill.period,
    bill: billSha256,
    pin,
    lines: lineTotals(snapshot),
    sources: snapshot.totals,
    quarantine: snapshot.quarantine,
    equations,
    findings: checks.filter(({ kind, rows }) => kind === 'finding' && rows > 0),
    waivers,
    hours,
  };
}

function lineTotals({ totals }: Snapshot): LineEquation {
  const sum = (member: 'physical' | 'valid' | 'quarantined' | 'blank'): number =>
    Object.values(totals).reduce((total, source) => total + source[member], 0);
  const [physical, valid, quarantined, blank] = [sum('physical'), sum('valid'), sum('quarantined'), sum('blank')];
  return { physical, valid, quarantined, blank, residual: physical - valid - quarantined - blank };
}

const HOUR_MS = 3_600_000;
const EVENTS = `
  select source, site_id, event_at_ms as at_ms from raw_token_usage
  union all select source, site_id, sampled_at_ms from raw_gpu_sample
  union all select source, site_id, observed_at_ms from raw_allocation_event
  union all select source, site_id, observed_at_ms from raw_scheduler_event
  union all select source, site_id, from_ms from raw_training_progress`;

/** In how many hours of the month each source had something to say. Ordered by source and site. */
export async function sourceHours(warehouse: Warehouse, month: Pick<ClosedBill, 'start_ms' | 'end_ms'>): Promise<SourceHours[]> {
  const rows: readonly TextRecord[] = records(
    await warehouse.query(
      `select source, site_id, count(distinct at_ms - mod(at_ms, ${HOUR_MS})) as hours_with_data, count(*) as row_count
       from (${EVENTS}) as events where at_ms >= ? and at_ms < ? group by source, site_id order by source, site_id`,
      [month.start_ms, month.end_ms],
    ),
  );
  return rows.map((row) => ({
    source: row['source'] ?? '',
    site_id: row['site_id'] ?? '',
    hours_with_data: Number(row['hours_with_data']),
    hours: (month.end_ms - month.start_ms) / HOUR_MS,
    rows: Number(row['row_count']),
  }));
}

/** SHA-256 and key of bytes that are stored under their own hash. */
export function named(bytes: Uint8Array): { readonly sha256: string; readonly key: string } {
  const sha256 = sha256Hex(bytes);
  return { sha256, key: objectKey(sha256) };
}
