/** What one commit says: which rows one source object became, in numbers that can be added up. */
import { PREFIX } from '../contract.ts';
import type { DatasetName } from '../datasets.ts';
import { assert } from '../domain/errors.ts';
import { isCid } from './keys.ts';

/** One Parquet file of a commit. `min_ms` and `max_ms` are inclusive epoch ms of the dataset's partition column. */
export interface CommitFile {
  readonly key: string;
  readonly dataset: DatasetName;
  /** yyyy-mm, UTC. */
  readonly partition: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly min_ms: number;
  readonly max_ms: number;
}

/** Lines of the decompressed object: physical = valid + quarantined + blank. `newlines` counts line feeds, an independent witness. */
export interface LineCounts {
  readonly physical: number;
  readonly valid: number;
  readonly quarantined: number;
  readonly blank: number;
  readonly newlines: number;
}

export interface CommitRecord {
  /** held: the object as a whole was refused, and has no rows. */
  readonly kind: 'data' | 'held';
  /** Content id: SHA-256 of (source, NUL, raw bytes). */
  readonly cid: string;
  /** Raised by reading the same bytes again with another parser or configuration. */
  readonly generation: number;
  readonly source: string;
  readonly object: { readonly name: string; readonly bytes: number; readonly last_modified_ms: number };
  readonly parser_version: number;
  readonly config_hash: string;
  /** Names this attempt and no other. */
  readonly attempt: string;
  readonly lines: LineCounts;
  readonly rows: Readonly<Partial<Record<DatasetName, number>>>;
  /** Quarantined lines by reason; they sum to lines.quarantined. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly hold: { readonly reason: string; readonly detail: string } | null;
  readonly files: readonly CommitFile[];
  readonly committed_at_ms: number;
}

/** Also what can be part of a key. */
const ATTEMPT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const WORD = /^[a-z][a-z0-9_-]{0,63}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;

/**
 * Returns nothing for a record whose numbers agree with each other. Errors: assertion naming the broken equation;
 * a record that does not add up is a defect of kashi, and must not become part of the history.
 */
export function checkRecord(record: CommitRecord): void {
  const { lines } = record;
  assert(isCid(record.cid), `commit: not a content id: ${record.cid}`);
  assert(ATTEMPT.test(record.attempt), `commit: attempt ${JSON.stringify(record.attempt)} cannot be part of a key`);
  assert(WORD.test(record.source), `commit: source ${JSON.stringify(record.source)}`);
  assert(Object.values(lines).every(isCount), 'commit: line counts are not counts');
  assert(
    Object.entries(record.reasons).every(([reason, count]) => WORD.test(reason) && isCount(count)),
    'commit: reasons are not counts by word',
  );
  assert((record.kind === 'held') === (record.hold !== null), 'commit: held has a hold, data has none');
  if (record.kind === 'data') {
    assert(lines.physical === lines.valid + lines.quarantined + lines.blank, 'commit: physical = valid + quarantined + blank');
    assert(sum(Object.values(record.reasons)) === lines.quarantined, 'commit: reasons sum to quarantined');
  } else {
    assert(facts(record).length === 0 && rowCount(record) === 0, 'commit: a held object has no rows');
  }
  for (const file of record.files) checkFile(file);
  assert(new Set(record.files.map((file) => file.key)).size === record.files.length, 'commit: a file is named twice');
  for (const dataset of new Set([...facts(record).map((file) => file.dataset), ...rowDatasets(record)])) {
    const inFiles = sum(record.files.filter((file) => file.dataset === dataset).map((file) => file.rows));
    assert(inFiles === (record.rows[dataset] ?? 0), `commit: rows of ${dataset} = rows of its files`);
  }
}

/** Rows of facts; quarantine rows are counted as lines, not here. */
export function rowCount(record: CommitRecord): number {
  return sum(rowDatasets(record).map((dataset) => record.rows[dataset] ?? 0));
}

function rowDatasets(record: CommitRecord): DatasetName[] {
  return (Object.keys(record.rows) as DatasetName[]).filter((dataset) => dataset !== 'quarantine');
}

function facts(record: CommitRecord): CommitFile[] {
  return record.files.filter((file) => file.dataset !== 'quarantine');
}

function checkFile(file: CommitFile): void {
  assert(
    file.key.startsWith(file.dataset === 'quarantine' ? PREFIX.quarantine : PREFIX.data),
    `commit: ${file.key} is not where ${file.dataset} lies`,
  );
  assert(isCount(file.rows) && file.rows > 0 && isCount(file.bytes) && file.bytes > 0, `commit: ${file.key} is empty`);
  assert(SHA256.test(file.sha256) && MONTH.test(file.partition), `commit: ${file.key} has no checksum or month`);
  assert(
    Number.isSafeInteger(file.min_ms) && Number.isSafeInteger(file.max_ms) && file.min_ms <= file.max_ms,
    `commit: ${file.key} min_ms <= max_ms`,
  );
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
