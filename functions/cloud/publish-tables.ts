/**
 * The newest snapshot as tables that other engines read: manifests of its files, which object lies where, reference rows, and what the models make
 * of them. Everything is written under names of its own first; then one table after the other is pointed at it. No bill is made from these tables.
 */
import { issuedModels } from '../cli/closing.ts';
import { type Session, sessionOver } from '../cli/session.ts';
import type { Centre } from '../cli/wiring.ts';
import { PREFIX } from '../contract.ts';
import { type Column, DATASETS, SNAPSHOT_TABLES } from '../datasets.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import { type Period, periodsTouching } from '../domain/period.ts';
import { REFERENCE } from '../domain/reference.ts';
import { objectIdOf, utcDay } from '../ledger/keys.ts';
import { putAnyhow } from '../ledger/patient.ts';
import { newestSnapshot, readSnapshot, type SnapshotFile, snapshotFiles } from '../ledger/snapshot.ts';
import { writeManifests } from '../ledger/symlink.ts';
import type { TableCatalog } from '../ports.ts';
import { catalogModels, defineModels } from '../warehouse/run.ts';
import { emptyFolder } from './published.ts';

export interface Publishing {
  readonly catalog: TableCatalog;
  /** Address of a key of the warehouse as engines name it. */
  readonly urlOf: (key: string) => string;
  /** Rows of text as a local Parquet file of typed columns. */
  readonly writeRows: (name: string, columns: readonly Column[], rows: readonly TextRow[]) => Promise<string>;
  /** SHA-256 of a local file. */
  readonly digestOf: (file: string) => Promise<string>;
}

type TextRow = readonly (string | null)[];

export interface Published {
  readonly snapshot: number;
  /** Tables that read another folder than before. */
  readonly moved: readonly string[];
  /** Months that the models answer for. */
  readonly periods: readonly string[];
}

/** The newest months in which something happened; older bills are in the exports. */
const PUBLISHED_MONTHS = 3;
const MOST_FUTURE_MS = 31 * 24 * 3_600_000;

/** Null in a warehouse without a snapshot. Again: nothing moves. Errors: KashiError not_found for a catalog without the tables, those of a session. */
export async function publishTables(centre: Centre, publishing: Publishing): Promise<Published | null> {
  const { store, clock, config } = centre;
  const { catalog, urlOf, writeRows } = publishing;
  const snapshot = await newestSnapshot(store);
  if (snapshot === null) return null;
  const former = (await catalog.pointed('raw_file')).snapshot ?? 0;
  const files = await snapshotFiles(store, snapshot);
  const pointer = new Pointer(publishing, centre, snapshot.n);
  const periods = periodsOf(files, clock.now(), config.timeZone);
  const session = await sessionOver(centre, snapshot, files, periods);
  try {
    await publishModels(session, pointer);
  } finally {
    await session.warehouse.close();
  }
  const manifests = await writeManifests(store, files, urlOf, (dataset, content) =>
    pointer.folder(`stored_${dataset}`, sha256Hex(content)),
  );
  await pointer.put('raw_object', await writeRows('raw_object', SNAPSHOT_TABLES.raw_object.columns, objectRows(files)));
  // Before the files: with the places of both, a dataset shows the former snapshot until it is pointed at this one, and never a part of either.
  const formerFiles = former > 0 && former < snapshot.n ? await snapshotFiles(store, await readSnapshot(store, former)) : [];
  const places = [...placeRows(files, urlOf), ...placeRows(onlyIn(formerFiles, files), urlOf)];
  await pointer.put('raw_file', await writeRows('raw_file', SNAPSHOT_TABLES.raw_file.columns, places));
  for (const name of Object.keys(DATASETS)) await pointer.point(`stored_${name}`, manifests.get(name) ?? emptyFolder(`stored_${name}`));
  return { snapshot: snapshot.n, moved: pointer.moved, periods: periods.map(({ period }) => period) };
}

/** Reference rows, and the models that are tables: of a closed month what was issued, of another what it is rated to now. */
async function publishModels({ centre, warehouse, models }: Session, pointer: Pointer): Promise<void> {
  const publish = async (name: string, columns: readonly { readonly name: string }[]): Promise<void> => {
    const names = columns.map((column) => column.name).join(', ');
    // In order, so that the same rows are the same bytes.
    await pointer.put(name, await warehouse.parquetFile(`select ${names} from ${name} order by ${names}`));
  };
  for (const { name, columns } of Object.values(REFERENCE)) await publish(name, columns);
  const all = await issuedModels(centre, models);
  const { tables } = catalogModels(all);
  for (const { name, columns } of tables) {
    await defineModels(warehouse, all, [name]);
    await publish(name, columns);
  }
}

/** Puts files where tables may read them, and points tables at them. */
class Pointer {
  readonly moved: string[] = [];
  private readonly publishing: Publishing;
  private readonly centre: Centre;
  private readonly snapshot: number;
  private readonly month: string;

  constructor(publishing: Publishing, centre: Centre, snapshot: number) {
    this.publishing = publishing;
    this.centre = centre;
    this.snapshot = snapshot;
    this.month = utcDay(centre.clock.now()).slice(0, 7);
  }

  /** Named by content and by month: what is pointed at is never older than a month and a day, so that a lifecycle rule may take the old. */
  folder(table: string, digest: string): string {
    return `${PREFIX.tables}${table}/${this.month}-${digest.slice(0, 16)}`;
  }

  async put(table: string, file: string): Promise<void> {
    const folder = this.folder(table, await this.publishing.digestOf(file));
    await putAnyhow(this.centre.store, `${folder}/rows.parquet`, { file });
    await this.point(table, folder);
  }

  async point(table: string, key: string): Promise<void> {
    const { catalog, urlOf } = this.publishing;
    const to = { folder: urlOf(key), snapshot: this.snapshot };
    const now = await catalog.pointed(table);
    if (now.folder === to.folder && now.snapshot === to.snapshot) return;
    await catalog.point(table, to);
    if (now.folder !== to.folder) this.moved.push(table);
  }
}

function objectRows(files: readonly SnapshotFile[]): TextRow[] {
  const objects = new Map(files.map((file) => [file.cid, file]));
  return [...objects].map(([cid, { object_name, source }]) => [objectIdOf(cid), object_name, source, cid]);
}

/** The rows of one object in one file, with its place in the history of these files. */
function placeRows(files: readonly SnapshotFile[], urlOf: (key: string) => string): TextRow[] {
  const order = new Map<string, number>();
  for (const { cid } of files) if (!order.has(cid)) order.set(cid, order.size);
  return files.map(({ key, cid }) => [urlOf(key), objectIdOf(cid), String(order.get(cid))]);
}

function onlyIn(some: readonly SnapshotFile[], others: readonly SnapshotFile[]): SnapshotFile[] {
  const keys = new Set(others.map(({ key }) => key));
  return some.filter(({ key }) => !keys.has(key));
}

/** A row that claims to be from a far future must not push out the months that count. */
function periodsOf(files: readonly SnapshotFile[], nowMs: number, timeZone: string): Period[] {
  const timed = files.filter(({ dataset }) => dataset !== 'quarantine');
  if (timed.length === 0) return [];
  const firstMs = timed.reduce((least, { min_ms }) => Math.min(least, min_ms), Number.POSITIVE_INFINITY);
  const lastMs = timed.reduce((most, { max_ms }) => Math.max(most, max_ms), firstMs);
  const endMs = Math.max(firstMs, Math.min(lastMs, nowMs + MOST_FUTURE_MS)) + 1;
  return periodsTouching(firstMs, endMs, timeZone).slice(-PUBLISHED_MONTHS);
}
