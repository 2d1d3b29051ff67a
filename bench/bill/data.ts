/** The generated month as a warehouse of kashi: Parquet written by the engine, commits and a snapshot by kashi's own ledger, and what was planted. */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { ROW_GROUP_ROWS, sha256OfFile } from '../../functions/adapters/parquet-duckdb.ts';
import { localStore } from '../../functions/adapters/store-local.ts';
import { DATASETS, type DatasetName } from '../../functions/datasets.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import { commit } from '../../functions/ledger/commit.ts';
import { type CommitName, fold } from '../../functions/ledger/fold.ts';
import { dataKey, objectIdOf } from '../../functions/ledger/keys.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { sqlText } from '../ingest/peer-sql.ts';
import { once } from '../once.ts';
import type { Say } from '../progress.ts';
import { configurationFiles } from './configuration.ts';
import { allocationRows, requests, sampleRows, tokenRows } from './data-sql.ts';
import { type Answer, expectedAnswer, type PlantedTokens } from './expected.ts';
import { PERIOD, type Shape } from './month.ts';

/** Raised when the generated rows change, so that a kept folder of an older form is not taken. */
const FORM = 2;
/** Measured: Parquet of a request, a sample and an observation. */
const [REQUEST_BYTES, SAMPLE_BYTES, ALLOCATION_BYTES] = [65, 14, 90];
/** A statement writes with one thread, for its row numbers come from one. */
const LANES = 2;

export interface BillData {
  /** Folder with kashi.yaml and the warehouse. */
  readonly folder: string;
  readonly shape: Shape;
  readonly answer: Answer;
  /** Stored rows and bytes by dataset. */
  readonly stored: Readonly<Partial<Record<DatasetName, { readonly files: number; readonly rows: number; readonly bytes: number }>>>;
}

interface Part {
  readonly dataset: DatasetName;
  readonly source: string;
  readonly number: number;
  readonly select: string;
}

export async function billData(cache: string, shape: Shape, say: Say): Promise<BillData> {
  const folder = join(cache, `bill-v${FORM}-rows-${shape.rows}-samples-${shape.samples}-allocations-${shape.allocations}`);
  const bytes = shape.rows * REQUEST_BYTES + shape.samples * SAMPLE_BYTES + shape.allocations * ALLOCATION_BYTES;
  const made = await once<Omit<BillData, 'folder' | 'shape'>>(folder, bytes, (directory) => makeMonth(directory, shape, say), say);
  return { folder, shape, ...made };
}

async function makeMonth(directory: string, shape: Shape, say: Say): Promise<object> {
  for (const [name, text] of Object.entries(configurationFiles(shape))) writeFileSync(join(directory, name), text);
  const instance = await DuckDBInstance.create(':memory:', { threads: String(LANES), memory_limit: '4GB' });
  const store = localStore(join(directory, 'warehouse'));
  const work = join(directory, 'parts');
  mkdirSync(work);
  const stored: Record<string, { files: number; rows: number; bytes: number }> = {};
  const parts = partsOf(shape);
  const queue = parts.values();
  let done = 0;
  const lane = async (): Promise<void> => {
    const connection = await instance.connect();
    for (const part of queue) {
      const { rows, bytes } = await writePart(connection, store, part, work);
      const sum = stored[part.dataset] ?? { files: 0, rows: 0, bytes: 0 };
      stored[part.dataset] = { files: sum.files + 1, rows: sum.rows + rows, bytes: sum.bytes + bytes };
      done += 1;
      say(`generating: ${done} of ${parts.length} parts`);
    }
    connection.closeSync();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  // One after the other: of two rows with one key the earlier part's counts.
  for (const commits of parts.map(nameOf)) await fold(store, { now: () => Date.now() }, { commits: [commits] });
  rmSync(work, { recursive: true });
  say('generating: what was planted is counted');
  const connection = await instance.connect();
  const answer = expectedAnswer(shape, await plantedTokens(connection, shape));
  connection.closeSync();
  instance.closeSync();
  return { answer, stored };
}

function partsOf(shape: Shape): Part[] {
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);
  return [
    { dataset: 'allocation_event', source: 'mapped', number: 0, select: allocationRows(shape) },
    ...numbers(shape.requestParts).map(
      (number): Part => ({ dataset: 'token_usage', source: 'litellm', number, select: tokenRows(number, shape) }),
    ),
    ...numbers(shape.sampleParts).map(
      (number): Part => ({ dataset: 'gpu_sample', source: 'dcgm-text', number, select: sampleRows(number, shape) }),
    ),
  ];
}

function nameOf({ dataset, number }: Part): CommitName {
  return { cid: sha256Hex(`${dataset} ${number}`), generation: 0 };
}

/** One landed object: its file as ingest would write it, and its commit. */
async function writePart(
  connection: DuckDBConnection,
  store: ObjectStore,
  part: Part,
  work: string,
): Promise<{ rows: number; bytes: number }> {
  const { dataset, source, number, select } = part;
  const { cid, generation } = nameOf(part);
  const columns = DATASETS[dataset].columns.map(({ name, type }) => `cast(${name} as ${type}) as ${name}`).join(', ');
  const rowsOf = select.replaceAll('$object_id', sqlText(objectIdOf(cid)));
  const file = join(work, `${dataset}-${number}.parquet`);
  await connection.run(
    `copy (select ${columns} from (${rowsOf})) to ${sqlText(file)} (format parquet, compression zstd, compression_level 1, row_group_size ${ROW_GROUP_ROWS})`,
  );
  const { partitionBy } = DATASETS[dataset];
  const counted = await connection.runAndReadAll(
    `select count(*), min(${partitionBy}), max(${partitionBy}) from read_parquet(${sqlText(file)})`,
  );
  const [rows = 0, minMs = 0, maxMs = 0] = (counted.getRows()[0] ?? []).map(Number);
  const [bytes, sha256] = [statSync(file).size, await sha256OfFile(file)];
  const attempt = `bench-${number}`;
  const key = dataKey({ dataset, partition: PERIOD, cid, part: 0, attempt });
  await store.putIfAbsent(key, { file });
  await commit(store, {
    kind: 'data',
    cid,
    generation,
    source,
    object: { name: `${source}/${dataset}-${number}`, bytes: 1, last_modified_ms: maxMs },
    parser_version: 1,
    config_hash: sha256Hex('bench'),
    attempt,
    lines: { physical: rows, valid: rows, quarantined: 0, blank: 0, newlines: rows },
    rows: { [dataset]: rows },
    reasons: {},
    hold: null,
    files: [{ key, dataset, partition: PERIOD, rows, bytes, sha256, min_ms: minMs, max_ms: maxMs }],
    committed_at_ms: maxMs,
  });
  rmSync(file, { force: true });
  return { rows, bytes };
}

/** From the numbers of the requests, not from the files. */
async function plantedTokens(connection: DuckDBConnection, shape: Shape): Promise<PlantedTokens[]> {
  const reader = await connection.runAndReadAll(
    `select team, model_no, sum(input_uncached), sum(input_cache_read), sum(input_cache_write), sum(output)
     from (${requests(0, shape.rows, shape)}) where status = 'success' group by team, model_no`,
  );
  return reader.getRows().map(([team, model, uncached, read, write, output]) => ({
    team: Number(team),
    model_no: Number(model),
    input_uncached: BigInt(String(uncached)),
    input_cache_read: BigInt(String(read)),
    input_cache_write: BigInt(String(write)),
    output: BigInt(String(output)),
  }));
}
