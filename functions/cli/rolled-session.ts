/** A session for a provisional bill that reads rollups in place of token rows and samples: it costs what is new, not what there is. */

import { verifyFiles } from '../close/files.ts';
import { assert, KashiError } from '../domain/errors.ts';
import { periodOf } from '../domain/period.ts';
import { type Snapshot, type SnapshotFile, snapshotFiles } from '../ledger/snapshot.ts';
import type { Warehouse } from '../ports.ts';
import { samplesRolledUp } from '../rollup/samples.ts';
import { tokensRolledUp } from '../rollup/tokens.ts';
import type { RollupTools } from '../rollup/tools.ts';
import type { Model } from '../warehouse/model.ts';
import { planModels } from '../warehouse/plan.ts';
import { loadModels } from '../warehouse/run.ts';
import { ingestedSnapshot, referenceOf, type Session, withSession } from './session.ts';
import { type Centre, engineVersion, isFolder, newAttempt, openEngine, readSqlFiles, sqlBundle } from './wiring.ts';

/** Rows below which they are read as fast as rollups are kept. */
const WORTH_ROWS = 200_000;

/** True for the embedded engine over a folder of this machine, with that many token rows and samples in it. */
export function keepsRollups(centre: Centre, { datasets }: Snapshot, { fromRows = WORTH_ROWS }: RollupChoice = {}): boolean {
  if (centre.engine !== 'duckdb' || centre.deployed !== undefined || !isFolder(centre)) return false;
  return (datasets.token_usage?.rows ?? 0) + (datasets.gpu_sample?.rows ?? 0) >= fromRows;
}

/** Models that name rows which a rolled session does not hold, and ask nothing of them: only a close loads promises. */
const ASKS_NOTHING = new Set(['rtd_promise']);

export interface RollupChoice {
  /** Least token rows and samples for which rollups are used. Default 200,000; Infinity: never. */
  readonly fromRows?: number;
}

/** As withSession, for a month's bill and checks only. A warehouse in a bucket, another engine and a small warehouse are read row by row. */
export async function withRolledSession<T>(
  centre: Centre,
  period: string,
  use: (session: Session) => Promise<T>,
  choice: RollupChoice = {},
): Promise<T> {
  const snapshot = await ingestedSnapshot(centre);
  if (!keepsRollups(centre, snapshot, choice)) return await withSession(centre, period, use);
  const session = await openRolled(centre, period, snapshot).catch(unwritable);
  // What cannot be kept is rated all the same.
  if (session === null) return await withSession(centre, period, use);
  try {
    return await use(session);
  } finally {
    await session.warehouse.close();
  }
}

/** Null for a disk that is full or may not be written. Errors: any other one. */
function unwritable(error: unknown): null {
  if (error instanceof KashiError && error.code === 'store_unsuitable') return null;
  throw error;
}

async function openRolled(centre: Centre, period: string, snapshot: Snapshot): Promise<Session> {
  const periods = [periodOf(period, centre.config.timeZone)];
  const files = await snapshotFiles(centre.store, snapshot);
  const reference = await referenceOf(centre, periods);
  const open = opener(centre);
  const tools = await toolsOf(centre, open, reference);
  const withTokens = await tokensRolledUp(tools, snapshot, files);
  let warehouse = await open(files.filter(({ dataset }) => dataset !== 'token_usage' && dataset !== 'gpu_sample'));
  try {
    await warehouse.loadReference(reference);
    let models = await samplesRolledUp({ ...tools, models: withTokens }, snapshot, files, warehouse);
    if (models === null) {
      await warehouse.close();
      warehouse = await open(files.filter(({ dataset }) => dataset !== 'token_usage'));
      await warehouse.loadReference(reference);
      models = withTokens;
    }
    checkInputs(models, models === withTokens ? ['raw_token_usage'] : ['raw_token_usage', 'raw_gpu_sample']);
    return { centre, snapshot, warehouse, models, periods };
  } catch (error) {
    await warehouse.close();
    throw error;
  }
}

export async function toolsOf(centre: Centre, open: RollupTools['open'], reference: RollupTools['reference']): Promise<RollupTools> {
  const paths = new Map<string, string>();
  return {
    store: centre.store,
    models: loadModels(readSqlFiles()),
    reference,
    open,
    engine: { prelude: sqlBundle().prelude, version: await engineVersion() },
    newName: newAttempt,
    paths,
    take: async (layers) => {
      for (const { parts } of layers) for (const { key } of Object.values(parts)) paths.set(key, await centre.store.localFile(key));
      return layers;
    },
  };
}

/** Opens engines over files, each of which was compared with its checksum once. */
export function opener(centre: Centre): (files: readonly SnapshotFile[]) => Promise<Warehouse> {
  const verified = new Set<string>();
  return async (files) => {
    await verifyFiles(
      centre.store,
      files.filter(({ key }) => !verified.has(key)),
    );
    for (const { key } of files) verified.add(key);
    return await openEngine(centre, files);
  };
}

/** A model that reads rows which are not there would be wrong without a word. */
function checkInputs(models: readonly Model[], absent: readonly string[]): void {
  const checks = models.filter(({ layer }) => layer === 'checks').map(({ name }) => name);
  for (const { name, inputs } of planModels(models, ['bill_line', 'bill', 'bill_unrated', ...checks]))
    assert(ASKS_NOTHING.has(name) || !inputs.some((input) => absent.includes(input)), `${name} reads rows that a rollup has replaced`);
}
