/** By what a month is rated: the flattened configuration and the SQL, each stored whole under the hash of its bytes. */
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { Period } from '../domain/period.ts';
import { REFERENCE, type ReferenceName, type ReferenceRow, type ReferenceRows } from '../domain/reference.ts';
import { putAnyhow } from '../ledger/patient.ts';
import { corrupt } from '../ledger/sealed.ts';
import type { ObjectStore } from '../ports.ts';
import { type Model, parseModel, type SqlFile } from '../warehouse/model.ts';
import { configKey } from './keys.ts';

/** Every reference table of one month, values as text, and what the bill says about the month. */
export interface Rates {
  readonly centre: string;
  readonly period: string;
  readonly time_zone: string;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly currency: string;
  readonly reference: ReferenceRows;
}

export interface SqlBundle {
  readonly prelude: string;
  readonly files: readonly SqlFile[];
}

/** Rates and SQL with the hashes that name them. */
export interface Rules {
  readonly rates: Rates;
  readonly ratesSha256: string;
  readonly sql: SqlBundle;
  readonly sqlSha256: string;
  readonly models: readonly Model[];
}

/** `reference` must be of exactly this month. */
export function rulesOf(centre: string, month: Period, currency: string, reference: ReferenceRows, sql: SqlBundle): Rules {
  const rates: Rates = {
    centre,
    period: month.period,
    time_zone: month.timeZone,
    start_ms: month.startMs,
    end_ms: month.endMs,
    currency,
    reference: asTexts(reference),
  };
  return withHashes(rates, sql);
}

/** Stores both parts. Errors: TransientStoreError. */
export async function storeRules(store: ObjectStore, rules: Rules): Promise<void> {
  await putAnyhow(store, configKey('rates', rules.ratesSha256), bytesOf(rules.rates));
  await putAnyhow(store, configKey('sql', rules.sqlSha256), bytesOf(rules.sql));
}

/** Errors: KashiError store_corrupt naming the part that is missing or changed. */
export async function readRules(store: ObjectStore, ratesSha256: string, sqlSha256: string): Promise<Rules> {
  const rates = await readHashed<Rates>(store, configKey('rates', ratesSha256), ratesSha256);
  const sql = await readHashed<SqlBundle>(store, configKey('sql', sqlSha256), sqlSha256);
  // A table that a later version of kashi added was empty then.
  const reference = Object.fromEntries(
    (Object.keys(REFERENCE) as ReferenceName[]).map((name) => [name, rates.reference[name] ?? []]),
  ) as unknown as ReferenceRows;
  return { rates: { ...rates, reference }, ratesSha256, sql, sqlSha256, models: sql.files.map(parseModel) };
}

/** A stored JSON value whose name is the hash of its bytes. Errors: KashiError store_corrupt when it is missing or any byte differs. */
export async function readHashed<T>(store: ObjectStore, key: string, sha256: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await readHashedBytes(store, key, sha256))) as T;
}

export async function readHashedBytes(store: ObjectStore, key: string, sha256: string): Promise<Uint8Array> {
  const bytes = await store.get(key);
  if (bytes === null) throw new KashiError('store_corrupt', 'an object that a bill was made from is missing', { where: key });
  if (sha256Hex(bytes) !== sha256) throw corrupt(key, 'other bytes than its name says');
  return bytes;
}

/** UTF-8 bytes of the canonical JSON. */
export function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value));
}

function withHashes(rates: Rates, sql: SqlBundle): Rules {
  return { rates, ratesSha256: sha256Hex(bytesOf(rates)), sql, sqlSha256: sha256Hex(bytesOf(sql)), models: sql.files.map(parseModel) };
}

/** Tables that are no rules: what a close fills in itself (promises, issued lines), and what the fleet did. */
const NO_RULES: readonly string[] = ['ref_promise', 'ref_issued_line', 'ref_edge_rollout'];

/** The engine reads text anyway, and text has one form. */
function asTexts(reference: ReferenceRows): ReferenceRows {
  const names = (Object.keys(REFERENCE) as ReferenceName[]).filter((name) => !NO_RULES.includes(name));
  const text = (value: ReferenceRow[string] | undefined): string | null => (value === null || value === undefined ? null : String(value));
  const rows = names.map((name) => [
    name,
    reference[name].map((row) => Object.fromEntries(REFERENCE[name].columns.map((column) => [column.name, text(row[column.name])]))),
  ]);
  return { ...Object.fromEntries(rows), ref_promise: [], ref_issued_line: [], ref_edge_rollout: [] } as ReferenceRows;
}
