/**
 * Token rows, rolled up: what is kept of them are the sums of stg_token_hour, the repeats, and a hash of every key. Which of several rows with one
 * key counts is decided key by key, and the first committed wins; so new commits change nothing about keys that only older ones have. They are
 * added by the same models over fewer rows: those of the new commits, and those of older objects that have one of their keys.
 */
import type { ReferenceRows } from '../domain/reference.ts';
import { objectIdOf } from '../ledger/keys.ts';
import type { Snapshot, SnapshotFile } from '../ledger/snapshot.ts';
import type { Warehouse } from '../ports.ts';
import type { Model } from '../warehouse/model.ts';
import { defineModels } from '../warehouse/run.ts';
import { freshCommits } from './fresh.ts';
import { headsFor, isWhole, type Layer, type Part, writeHead, writePart } from './head.ts';
import { listOf, type RollupTools, rulesDigest, storedModel, textOf } from './tools.ts';

export interface TokenLayer extends Layer {
  /** stg_token_hour, fct_token_repeat, keys (key_hash, object_id of every row). Layers have no object in common. */
  readonly parts: Readonly<Record<'stg_token_hour' | 'fct_token_repeat' | 'keys', Part>>;
  readonly rows: number;
}

const CUTS = ['stg_token_hour', 'fct_token_repeat'] as const;
const HOUR_MS = 3_600_000;

/** The models with the two cuts read from the rollup, which is made or brought up to date. `files`: of the snapshot. */
export async function tokensRolledUp(tools: RollupTools, snapshot: Snapshot, files: readonly SnapshotFile[]): Promise<readonly Model[]> {
  const own = files.filter(({ dataset }) => dataset === 'token_usage');
  const layers = await tokenLayers(tools, snapshot, own);
  return tools.models.map((model) => {
    const cut = CUTS.find((name) => name === model.name);
    if (cut === undefined) return model;
    const stored = layers.map(({ parts }) => ({ part: parts[cut], where: '' }));
    return storedModel(model, stored, tools.paths);
  });
}

async function tokenLayers(tools: RollupTools, snapshot: Snapshot, files: readonly SnapshotFile[]): Promise<readonly TokenLayer[]> {
  const { store } = tools;
  const digest = rulesDigest(tools, CUTS, { edges: edgesInHours(tools.reference) });
  for await (const { head } of headsFor<TokenLayer>(store, 'tokens', digest, snapshot)) {
    const commits = await freshCommits(store, head.segments, snapshot.segments);
    if (commits === null) continue;
    const cids = new Set(commits.map(({ cid }) => cid));
    const fresh = files.filter(({ cid }) => cids.has(cid));
    if (!(await isWhole(store, head.layers, fresh.length === 0 ? CUTS : [...CUTS, 'keys']))) continue;
    if (commits.length === 0) return await tools.take(head.layers);
    const layers = fresh.length === 0 ? head.layers : await added(tools, await tools.take(head.layers), files, fresh);
    if (layers === null) continue;
    await writeHead(store, 'tokens', digest, snapshot, layers);
    return await tools.take(layers);
  }
  const layers = files.length === 0 ? [] : ((await added(tools, [], files, files)) ?? []);
  await writeHead(store, 'tokens', digest, snapshot, layers);
  return await tools.take(layers);
}

/** Instants inside an hour at which something changes: they are where an hour is cut. */
function edgesInHours(reference: ReferenceRows): number[] {
  const { ref_segment, ref_tenant_key, ref_edge_rollout, ref_setting } = reference;
  const all = [
    ...ref_segment.flatMap((row) => [row['start_ms'], row['end_ms']]),
    ...ref_tenant_key.flatMap((row) => [row['from_ms'], row['to_ms']]),
    ...ref_edge_rollout.flatMap((row) => [row['live_ms'], row['until_ms']]),
    ...ref_setting.map((row) => row['correct_from_ms']),
  ];
  const instants = all.filter((value) => value !== null && value !== undefined).map(Number);
  return [...new Set(instants.filter((instant) => instant % HOUR_MS !== 0))].sort((left, right) => left - right);
}

/** The layers with the fresh files' rows; null when they cannot be told apart from older ones by the ids that rows carry. */
async function added(
  tools: RollupTools,
  base: readonly TokenLayer[],
  files: readonly SnapshotFile[],
  fresh: readonly SnapshotFile[],
): Promise<readonly TokenLayer[] | null> {
  const ids = new Set(fresh.map(({ cid }) => objectIdOf(cid)));
  const freshIds = `select unnest(${listOf([...ids].map(textOf))}) as object_id`;
  const keys = base.length === 0 ? null : `read_parquet(${listOf(base.map(({ parts }) => textOf(tools.paths.get(parts.keys.key) ?? '')))})`;
  let engine = await tools.open(fresh);
  try {
    if (keys !== null) {
      const { rows } = await engine.query(`select count(*) from ${keys} where object_id in (${freshIds})`);
      if (rows[0]?.[0] !== '0') return null;
      const hit = await engine.query(
        `select distinct object_id from ${keys} where key_hash in (select hash(source, native_id) from raw_token_usage)`,
      );
      const objects = new Set(hit.rows.map(([id]) => id));
      if (objects.size > 0) {
        await engine.close();
        const wanted = new Set([...files.filter(({ cid }) => objects.has(objectIdOf(cid))), ...fresh]);
        engine = await tools.open(files.filter((file) => wanted.has(file)));
      }
    }
    return await layered(tools, base, engine, freshIds);
  } finally {
    await engine.close();
  }
}

/** Layers that are not at least twice as large as what comes after them are merged with it, so that there are few, and each row is copied seldom. */
async function layered(tools: RollupTools, base: readonly TokenLayer[], engine: Warehouse, freshIds: string): Promise<TokenLayer[]> {
  await engine.loadReference(tools.reference);
  await defineModels(engine, tools.models, CUTS);
  const counted = await engine.query(`select count(*) from raw_token_usage where object_id in (${freshIds})`);
  let rows = Number(counted.rows[0]?.[0] ?? 0);
  const kept = [...base];
  const merged: TokenLayer[] = [];
  for (let last = kept.at(-1); last !== undefined && last.rows < 2 * rows; last = kept.at(-1)) {
    merged.push(last);
    rows += last.rows;
    kept.pop();
  }
  const part = async (name: keyof TokenLayer['parts'], select: string): Promise<Part> => {
    const older = merged.map(
      ({ parts }) => `union all by name select * from read_parquet(${textOf(tools.paths.get(parts[name].key) ?? '')})`,
    );
    const sql = [`select * from (${select}) as fresh where object_id in (${freshIds})`, ...older].join(' ');
    return await writePart(tools.store, tools.newName, await engine.parquetFile(sql));
  };
  const parts = {
    stg_token_hour: await part('stg_token_hour', 'select * from stg_token_hour'),
    fct_token_repeat: await part('fct_token_repeat', 'select * from fct_token_repeat'),
    keys: await part('keys', 'select hash(source, native_id) as key_hash, object_id from raw_token_usage'),
  };
  return [...kept, { parts, rows }];
}
