/** What an edge tells headquarters: signed by its own key, numbered, and kept. The same report twice is one. */
import { PREFIX } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';
import { isDigest } from '../domain/oci.ts';
import { patientReads, putAnyhow } from '../ledger/patient.ts';
import { openRecord } from '../ledger/signed.ts';
import type { ObjectStore } from '../ports.ts';
import type { Health } from './fleet.ts';
import type { FleetEvent } from './fleet-event.ts';

export interface EdgePoll {
  readonly type: 'poll';
  readonly edge: string;
  readonly at_ms: number;
  /** Newest message that it trusts. */
  readonly after: number;
}

export interface EdgeReport {
  readonly type: 'synced' | 'live' | 'unhealthy' | 'health';
  readonly edge: string;
  readonly at_ms: number;
  /** Counted from 1 by the edge. */
  readonly report: number;
  readonly service: string;
  readonly generation: number;
  readonly digest: string;
  /** unhealthy: why. */
  readonly reason: string | null;
  readonly health: Health | null;
}

/** How far the clocks of an edge and of headquarters may be apart. */
export const REPORT_WINDOW_MS = 300_000;

export type ReadReport =
  | { readonly is: 'poll'; readonly poll: EdgePoll }
  | { readonly is: 'report'; readonly report: EdgeReport }
  /** status as HTTP has it. */
  | { readonly is: 'refused'; readonly status: 400 | 401 | 409; readonly why: string };

/** Reads what an edge sent. `publicKey` (PEM) is that of the edge whose name is in the address. */
export function readReport(body: Uint8Array, edge: string, publicKey: string, nowMs: number): ReadReport {
  let value: EdgePoll | EdgeReport;
  try {
    ({ value } = openRecord<EdgePoll | EdgeReport>(body, 'report', publicKey));
  } catch (error) {
    if (!(error instanceof KashiError)) throw error;
    return refused(401, `signature: ${error.details.found ?? error.message}`);
  }
  if (typeof value !== 'object' || value === null || value.edge !== edge) return refused(401, 'it is about another edge');
  if (!Number.isSafeInteger(value.at_ms) || Math.abs(value.at_ms - nowMs) > REPORT_WINDOW_MS)
    return refused(401, 'it is too old, or a clock is wrong');
  if (value.type === 'poll') return Number.isSafeInteger(value.after) ? { is: 'poll', poll: value } : refused(400, 'after');
  const fault = faultOf(value);
  return fault === null ? { is: 'report', report: value } : refused(400, fault);
}

function refused(status: 400 | 401 | 409, why: string): ReadReport {
  return { is: 'refused', status, why };
}

function faultOf({ type, report, service, generation, digest, reason, health }: EdgeReport): string | null {
  if (!['synced', 'live', 'unhealthy', 'health'].includes(type)) return 'type';
  if (!Number.isSafeInteger(report) || report < 1) return 'report';
  if (typeof service !== 'string' || service === '') return 'service';
  if (!Number.isSafeInteger(generation) || generation < 1) return 'generation';
  if (!isDigest(digest)) return 'digest';
  if (type === 'unhealthy' && typeof reason !== 'string') return 'reason';
  return type === 'health' && !isHealth(health) ? 'health' : null;
}

function isHealth(health: Health | null): boolean {
  if (typeof health !== 'object' || health === null) return false;
  return ([health.errorRate, health.ttftP95Ms, health.tokensPerSecond] as const).every(
    (value) => value === null || (typeof value === 'string' && /^\d{1,12}(\.\d{1,9})?$/.test(value)),
  );
}

/** Example: ('eu-1', 12) → 'fleet/reports/eu-1/0000000012.json'. */
export function reportKey(edge: string, report: number): string {
  return `${PREFIX.fleet}reports/${edge}/${String(report).padStart(10, '0')}.json`;
}

/** Keeps the report. known: these bytes were kept before; other: its number is taken by another report. */
export async function keepReport(store: ObjectStore, { edge, report }: EdgeReport, body: Uint8Array): Promise<'new' | 'known' | 'other'> {
  const key = reportKey(edge, report);
  if ((await putAnyhow(store, key, body)) === 'created') return 'new';
  return Buffer.compare((await patientReads(store).get(key)) ?? new Uint8Array(), body) === 0 ? 'known' : 'other';
}

export function eventOfReport({ type, at_ms: atMs, edge, service, generation, digest, reason, health }: EdgeReport): FleetEvent {
  const about = { atMs, service, edge, digest, generation };
  if (type === 'unhealthy') return { ...about, type, reason: (reason ?? '').slice(0, 500) };
  return type === 'health' ? { ...about, type, health: health! } : { ...about, type };
}
