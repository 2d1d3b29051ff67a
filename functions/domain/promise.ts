/** What producers promise about whole hours, as rows of ref_promise: their own totals, canary requests, data in every hour. */
import { DateTime } from 'luxon';
import type { CloseConfig, SourceAtSite } from './config.ts';
import { KashiError } from './errors.ts';
import { csvTable } from './load-test-csv.ts';
import type { Period } from './period.ts';
import type { ReferenceRow } from './reference.ts';

/** A file of control totals as it was read. */
export interface ControlFile {
  readonly name: string;
  readonly text: string;
}

const HOUR_MS = 3_600_000;
const COUNTS = ['requests', 'input_tokens', 'output_tokens'] as const;
const COLUMNS = new Set(['source', 'site', 'from', 'to', ...COUNTS]);

/** The promises that touch a month, in a fixed order. Errors: KashiError config_invalid naming file and record of a bad control total. */
export function promisesOf(close: CloseConfig, control: readonly ControlFile[], month: Period): ReferenceRow[] {
  const { canary } = close;
  const rows: ReferenceRow[] = [
    ...control
      .flatMap(({ name, text }) => controlRows(name, text))
      .filter(({ from_ms, to_ms }) => touches(month, Number(from_ms), Number(to_ms))),
    ...close.hourly.flatMap((at) => hours(month).map((fromMs) => promise('hourly', at, fromMs, fromMs + HOUR_MS))),
    ...(canary?.at ?? []).flatMap((at) =>
      hours(month).map((fromMs) => ({
        ...promise('canary', at, fromMs, fromMs + HOUR_MS),
        tenant_id: canary?.tenantId ?? null,
        requests: String(canary?.perHour ?? 1),
      })),
    ),
  ];
  const byId = new Map<string, ReferenceRow>();
  for (const row of rows) {
    const id = String(row['promise_id']);
    if (byId.has(id) && JSON.stringify(byId.get(id)) !== JSON.stringify(row))
      throw new KashiError('config_invalid', 'two promises about the same hours say different things', { found: id });
    byId.set(id, row);
  }
  return [...byId.values()].sort((left, right) => (String(left['promise_id']) < String(right['promise_id']) ? -1 : 1));
}

function touches({ startMs, endMs }: Period, fromMs: number, toMs: number): boolean {
  return fromMs < endMs && toMs > startMs;
}

/** Whole UTC hours that lie inside the month. */
function hours({ startMs, endMs }: Period): number[] {
  const first = Math.ceil(startMs / HOUR_MS) * HOUR_MS;
  return Array.from({ length: Math.max(0, Math.floor((endMs - first) / HOUR_MS)) }, (_, index) => first + index * HOUR_MS);
}

/** Values as text, because they are hashed and read by an engine. */
function promise(kind: string, { source, siteId }: SourceAtSite, fromMs: number, toMs: number): ReferenceRow {
  const from = new Date(fromMs).toISOString().slice(0, 13);
  return {
    promise_id: `${kind}:${source ?? 'all'}/${siteId}/${from}`,
    kind,
    source,
    site_id: siteId,
    tenant_id: null,
    requests: null,
    input_tokens: null,
    output_tokens: null,
    from_ms: String(fromMs),
    to_ms: String(toMs),
  };
}

/** One record: `source,site,from[,to][,requests][,input_tokens][,output_tokens]`; an empty count is not stated. */
function controlRows(fileName: string, text: string): ReferenceRow[] {
  return csvTable(text, fileName).map((record, index) => {
    const where = `${fileName} record ${index + 2}`;
    const refuse = (what: string, allowed: string, found: string): never => {
      throw new KashiError('config_invalid', what, { where, allowed, found });
    };
    const unknown = Object.keys(record).find((name) => !COLUMNS.has(name));
    if (unknown !== undefined) refuse('unknown column', [...COLUMNS].join(', '), unknown);
    const hour = (name: string, otherwise: number | null): number => {
      const cell = record[name] ?? '';
      if (cell === '' && otherwise !== null) return otherwise;
      const ms = /(?:[Zz]|[+-]\d{2}:\d{2})$/.test(cell) ? DateTime.fromISO(cell).toMillis() : Number.NaN;
      if (!Number.isSafeInteger(ms) || ms % HOUR_MS !== 0)
        refuse(`${name} is no whole hour`, 'RFC 3339 with offset, such as 2026-10-14T03:00:00Z', cell);
      return ms;
    };
    const site = record['site'] ?? '';
    if (site === '') refuse('no site', 'id of a site', 'nothing');
    const fromMs = hour('from', null);
    const toMs = hour('to', fromMs + HOUR_MS);
    if (toMs <= fromMs) refuse('an empty span', 'to after from', `${record['from']} to ${record['to']}`);
    const counts = COUNTS.map((name) => {
      const cell = record[name] ?? '';
      if (cell !== '' && !/^\d{1,18}$/.test(cell)) refuse(`${name} is no count`, 'digits, or nothing', cell);
      return [name, cell === '' ? null : BigInt(cell).toString()] as const;
    });
    if (counts.every(([, value]) => value === null)) refuse('a control total without a number', COUNTS.join(', '), 'nothing');
    return {
      ...promise('control', { source: (record['source'] ?? '') === '' ? null : (record['source'] ?? null), siteId: site }, fromMs, toMs),
      ...Object.fromEntries(counts),
    };
  });
}
