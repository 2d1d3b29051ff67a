/** What `kashi status` says of the rows: coverage by hour, gaps, months. Kept for each snapshot, and brought up to date from the new files alone. */
import { records, type TextRecord } from '../billing/bill-document.ts';
import { SOURCE_HOURS, type SourceCoverage, sourceCoverage } from '../billing/source-coverage.ts';
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { readPlaces } from '../ledger/compaction.ts';
import type { FoldedCommit } from '../ledger/segment.ts';
import { type Snapshot, type SnapshotFile, snapshotFiles } from '../ledger/snapshot.ts';
import type { ObjectStore, Warehouse } from '../ports.ts';
import { freshCommits } from '../rollup/fresh.ts';
import { headsFor, isWhole, type Layer, type Part, writeHead, writePart } from '../rollup/head.ts';
import { listOf, textOf } from '../rollup/tools.ts';
import type { Model } from '../warehouse/model.ts';
import { defineModels, loadModels } from '../warehouse/run.ts';
import { keepsRollups, opener, type RollupChoice } from './rolled-session.ts';
import { DATA_SPANS, periodsInData, withSession } from './session.ts';
import { type Centre, newAttempt, readSqlFiles } from './wiring.ts';

export interface StatusData {
  readonly coverage: readonly SourceCoverage[];
  /** Spans for which a source says that it lost events. */
  readonly gaps: readonly TextRecord[];
  readonly periods: readonly string[];
}

interface HoursLayer extends Layer {
  readonly parts: Readonly<Record<'hours' | 'spans', Part>>;
}

/** Layers above which they are merged into one. */
const MOST_LAYERS = 32;
const GAPS =
  'select source, site_id, from_at, to_at, reason, lost_events from fct_source_gap order by source, site_id, from_ms, to_ms, reason';
/** Datasets in which a source can say that it lost something; the others cannot begin a gap. */
const TELL_GAPS = ['scheduler_event', 'quarantine'] as const;

/** Of the newest snapshot. */
export async function statusData(centre: Centre, snapshot: Snapshot, choice: RollupChoice = {}): Promise<StatusData> {
  if (keepsRollups(centre, snapshot, choice)) return await keptData(centre, snapshot);
  return await withSession(centre, null, async ({ warehouse, models, periods }) => ({
    coverage: await sourceCoverage(warehouse),
    gaps: await gapsOf(warehouse, models),
    periods: periods.map(({ period }) => period),
  }));
}

async function gapsOf(warehouse: Warehouse, models: readonly Model[]): Promise<TextRecord[]> {
  await defineModels(warehouse, models, ['fct_source_gap']);
  return records(await warehouse.query(GAPS));
}

async function keptData(centre: Centre, snapshot: Snapshot): Promise<StatusData> {
  const { store, config } = centre;
  const models = loadModels(readSqlFiles());
  const gapModel = models.find(({ name }) => name === 'fct_source_gap')?.sql ?? '';
  // No version of the engine: asking for it would load it, and these are counts.
  const rules = { zone: config.timeZone, texts: [SOURCE_HOURS, DATA_SPANS, GAPS, gapModel] };
  const digest = sha256Hex(canonicalJson(rules)).slice(0, 32);
  const keep = async (layers: readonly HoursLayer[], fresh: readonly SnapshotFile[]): Promise<StatusData> => {
    const made = await dataOf(centre, snapshot, models, layers, fresh);
    await writeHead(store, 'hours', digest, snapshot, made.layers, { sha256: snapshot.sha256, data: made.data });
    return made.data;
  };
  for await (const { head } of headsFor<HoursLayer, { sha256: string; data: StatusData }>(store, 'hours', digest, snapshot)) {
    if (head.extra.sha256 === snapshot.sha256) return head.extra.data;
    const commits = await freshCommits(store, head.segments, snapshot.segments);
    if (commits === null || !(await isWhole(store, head.layers, ['hours', 'spans']))) continue;
    return await keep(head.layers, await filesOfCommits(store, snapshot, commits));
  }
  return await keep([], await snapshotFiles(store, snapshot));
}

/** As snapshotFiles, of these commits only. */
async function filesOfCommits(store: ObjectStore, snapshot: Snapshot, commits: readonly FoldedCommit[]): Promise<SnapshotFile[]> {
  const places = await readPlaces(store, snapshot.compacted);
  return commits.flatMap(({ cid, source, object, fold_seq, files }) =>
    files.map((file) => {
      const { key, bytes, sha256 } = places.get(file.key) ?? file;
      return { ...file, key, bytes, sha256, cid, source, object_name: object.name, fold_seq };
    }),
  );
}

async function dataOf(
  centre: Centre,
  snapshot: Snapshot,
  models: readonly Model[],
  base: readonly HoursLayer[],
  fresh: readonly SnapshotFile[],
): Promise<{ readonly layers: readonly HoursLayer[]; readonly data: StatusData }> {
  const { store, config } = centre;
  const open = opener(centre);
  const engine = await open(fresh.filter(({ dataset }) => dataset !== 'quarantine'));
  try {
    const merged = base.length >= MOST_LAYERS ? base : [];
    const part = async (name: keyof HoursLayer['parts'], select: string): Promise<Part> => {
      const older = await selectOf(store, merged, name);
      return await writePart(store, newAttempt, await engine.parquetFile([select, ...older].join(' union all ')));
    };
    const parts = {
      hours: await part('hours', `select * from (${SOURCE_HOURS}) as fresh`),
      spans: await part('spans', `select * from (${DATA_SPANS}) as fresh`),
    };
    const layers = [...(merged.length > 0 ? [] : base), { parts }];
    const hours = (await selectOf(store, layers, 'hours')).join('');
    const spans = (await selectOf(store, layers, 'spans')).join('');
    const coverage = await sourceCoverage(engine, hours);
    const periods = (await periodsInData(engine, config.timeZone, spans)).map(({ period }) => period);
    return { layers, data: { coverage, gaps: await gapsIn(centre, snapshot, models, open), periods } };
  } finally {
    await engine.close();
  }
}

/** A select over the parts of layers; none without layers. */
async function selectOf(store: ObjectStore, layers: readonly HoursLayer[], name: keyof HoursLayer['parts']): Promise<string[]> {
  if (layers.length === 0) return [];
  const files: string[] = [];
  for (const { parts } of layers) files.push(textOf(await store.localFile(parts[name].key)));
  return [`select * from read_parquet(${listOf(files)})`];
}

async function gapsIn(
  centre: Centre,
  snapshot: Snapshot,
  models: readonly Model[],
  open: ReturnType<typeof opener>,
): Promise<readonly TextRecord[]> {
  if (TELL_GAPS.every((name) => (snapshot.datasets[name]?.rows ?? 0) === 0)) return [];
  const read: readonly string[] = [...TELL_GAPS, 'allocation_event'];
  const engine = await open((await snapshotFiles(centre.store, snapshot)).filter(({ dataset }) => read.includes(dataset)));
  try {
    return await gapsOf(engine, models);
  } finally {
    await engine.close();
  }
}
