/** What an edge tells headquarters: signed by its own key, numbered, and kept. The same report twice is one. */
import { PREFIX } from '../contract.ts';
import { assert, KashiError } from '../domain/errors.ts';
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
  /** imported: a bundle's image was proven in the edge's registry, every byte. Only from edges that bundles are carried to. */
  readonly type: 'imported' | 'synced' | 'live' | 'unhealthy' | 'health';
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
  /** imported: what the bundle brought. */
  readonly bytes_moved?: number;
}

/** How far the clocks of an edge and of headquarters may be apart. */
export const REPORT_WINDOW_MS = 300_000;
/** Reports that were carried are older. */
export const CARRIED_WINDOW_MS = 90 * 24 * 3_600_000;

export type ReadReport =
  | { readonly is: 'poll'; readonly poll: EdgePoll }
  | { readonly is: 'report'; readonly report: EdgeReport }
  /** status as HTTP has it. */
  | { readonly is: 'refused'; readonly status: 400 | 401 | 409; readonly why: string };

/**
 * Reads what an edge sent. `publicKey` (PEM) is that of the edge whose name is in the address. `carried`: it came by hand from an edge without
 * network; only such an edge proves for itself.
 */
export function readReport(body: Uint8Array, edge: string, publicKey: string, nowMs: number, carried = false): ReadReport {
  let value: EdgePoll | EdgeReport;
  try {
    ({ value } = openRecord<EdgePoll | EdgeReport>(body, 'report', publicKey));
  } catch (error) {
    if (!(error instanceof KashiError)) throw error;
    return refused(401, `signature: ${error.details.found ?? error.message}`);
  }
  if (typeof value !== 'object' || value === null || value.edge !== edge) return refused(401, 'it is about another edge');
  if (
    !Number.isSafeInteger(value.at_ms) ||
    value.at_ms > nowMs + REPORT_WINDOW_MS ||
    value.at_ms < nowMs - (carried ? CARRIED_WINDOW_MS : REPORT_WINDOW_MS)
  )
    return refused(401, 'it is too old, or a clock is wrong');
  if (value.type === 'imported' && !carried) return refused(400, 'type');
  if (value.type === 'poll') return Number.isSafeInteger(value.after) ? { is: 'poll', poll: value } : refused(400, 'after');
  const fault = faultOf(value);
  return fault === null ? { is: 'report', report: value } : refused(400, fault);
}

function refused(status: 400 | 401 | 409, why: string): ReadReport {
  return { is: 'refused', status, why };
}

function faultOf({ type, report, service, generation, digest, reason, health, bytes_moved: bytes }: EdgeReport): string | null {
  if (!['imported', 'synced', 'live', 'unhealthy', 'health'].includes(type)) return 'type';
  if (!Number.isSafeInteger(report) || report < 1) return 'report';
  if (typeof service !== 'string' || service === '') return 'service';
  if (!Number.isSafeInteger(generation) || generation < 1) return 'generation';
  if (!isDigest(digest)) return 'digest';
  if (type === 'imported' && !(Number.isSafeInteger(bytes) && Number(bytes) >= 0)) return 'bytes_moved';
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

/** `repository` of the release, for an image that was imported: it is in the edge's registry, and it is proven. */
export function eventsOfReport(report: EdgeReport, repository: string): FleetEvent[] {
  const { type, at_ms: atMs, edge, service, generation, digest, bytes_moved: bytesMoved = 0 } = report;
  if (type !== 'imported') return [eventOfReport(report)];
  return [
    { type: 'replicated', atMs, edge, repository, digest, by: 'agent', bytesMoved },
    { type: 'verified', atMs, service, edge, digest, generation, bytesMoved: 0 },
  ];
}

export function eventOfReport({ type, at_ms: atMs, edge, service, generation, digest, reason, health }: EdgeReport): FleetEvent {
  const about = { atMs, service, edge, digest, generation };
  assert(type !== 'imported', 'an imported image is told by two events');
  if (type === 'unhealthy') return { ...about, type, reason: (reason ?? '').slice(0, 500) };
  return type === 'health' ? { ...about, type, health: health! } : { ...about, type };
}
