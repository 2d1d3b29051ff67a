/** Planted usage of the centre in test/close/centre: rows with a key, files of rows, and what a warehouse stored and billed of them. */
import assert from 'node:assert/strict';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rate } from '../../functions/cli/bill.ts';
import { ingestInto, readings, withIngest } from '../../functions/cli/ingest.ts';
import { withSession } from '../../functions/cli/session.ts';
import { type Centre, landedObjects } from '../../functions/cli/wiring.ts';
import { verifyFiles } from '../../functions/close/files.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import type { Random } from '../../functions/generate/random.ts';
import type { IngestReport } from '../../functions/ingest/ingest.ts';
import { type IngestDependencies, type IngestOutcome, ingestObject } from '../../functions/ingest/ingest-object.ts';
import { readCommit } from '../../functions/ledger/commit.ts';
import { parseCommitKey } from '../../functions/ledger/keys.ts';
import { newestSnapshot, type Snapshot, snapshotCommits, snapshotFiles, verifyChain } from '../../functions/ledger/snapshot.ts';
import type { LandedObject, ObjectStore } from '../../functions/ports.ts';

export interface UsageRow {
  readonly id: string;
  readonly atMs: number;
  readonly team: 'research' | 'search';
  readonly input: number;
  readonly output: number;
}

export const DAY_MS = 86_400_000;
/** The centre's zone has no summer time. */
export const ZONE_MS = 8 * 3_600_000;
export const HEADER = 'id,at,team,model,input,output';

/** First instant of a month at the centre. Example: monthMs('2025-10') is 2025-09-30T16:00:00Z. */
export function monthMs(month: string): number {
  return Date.parse(`${month}-01T00:00:00Z`) - ZONE_MS;
}

/** The month at the centre in which an instant lies. */
export function monthOf(atMs: number): string {
  return new Date(atMs + ZONE_MS).toISOString().slice(0, 7);
}

export function usageRow(random: Random, id: string, atMs: number): UsageRow {
  return { id, atMs, team: random.pick(['research', 'search'] as const), input: random.int(0, 3000), output: random.int(1, 2000) };
}

export function usageText(rows: readonly UsageRow[]): string {
  return `${[HEADER, ...rows.map(({ id, atMs, team, input, output }) => `${id},${new Date(atMs).toISOString()},${team},chat,${input},${output}`)].join('\n')}\n`;
}

/** Writes a file below landing/ as its producer does; gives its path. Names must begin with usage to be read. */
export function landFile(directory: string, name: string, content: string | Uint8Array, atMs: number): string {
  const path = join(directory, 'landing', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  utimesSync(path, new Date(atMs), new Date(atMs));
  return path;
}

export async function ingestFiles(centre: Centre, paths: readonly string[]): Promise<IngestReport> {
  return (await ingestInto(centre, [...landedObjects(paths, centre)], {}, true)).report;
}

export interface Worker {
  ingest(object: LandedObject): Promise<IngestOutcome>;
}

/** So many workers with everything their own, as if each were a process; closed after use. */
export async function withWorkers<T>(centre: Centre, workers: number, use: (workers: readonly Worker[]) => Promise<T>): Promise<T> {
  const readingOf = readings(centre, {});
  const open = async (made: readonly Worker[]): Promise<T> => {
    if (made.length === workers) return await use(made);
    return await withIngest(centre, {}, 0, async (dependencies) => await open([...made, workerOf(dependencies)]));
  };
  const workerOf = (dependencies: Omit<IngestDependencies, 'onBytes'>): Worker => ({
    ingest: (object) => ingestObject(object, readingOf(object.name), { ...dependencies, onBytes: () => {} }),
  });
  return await open([]);
}

/** Key, instant, tokens of every row, duplicates too. */
export async function storedRows(centre: Centre): Promise<string[]> {
  return await withSession(centre, '2025-10', async ({ warehouse }) => {
    const { rows } = await warehouse.query(
      'select native_id, event_at_ms, tenant_key, input_uncached_tokens, output_tokens from raw_token_usage',
    );
    return rows.map((row) => row.join(' ')).sort();
  });
}

export function plantedRows(rows: readonly UsageRow[]): string[] {
  return rows.map(({ id, atMs, team, input, output }) => [id, atMs, team, input, output].join(' ')).sort();
}

/** Stored is planted, row by row and as one digest. */
export async function assertStored(centre: Centre, rows: readonly UsageRow[]): Promise<void> {
  const [stored, planted] = [await storedRows(centre), plantedRows(rows)];
  assert.equal(stored.length, planted.length, 'rows');
  assert.equal(sha256Hex(stored.join('\n')), sha256Hex(planted.join('\n')), 'digest of rows');
}

/** Tokens on the bill of a month, by tenant and class, in tokens. */
export async function billedTokens(centre: Centre, period: string): Promise<Record<string, number>> {
  const { document, checks } = await withSession(centre, period, (session) => rate(session, period, null));
  assert.deepEqual(
    checks.filter(({ name, rows }) => rows > 0 && name !== 'chk_token_conflict').map(({ name }) => name),
    [],
  );
  const sums: Record<string, number> = {};
  for (const { tenant_id, lines } of document.bills)
    for (const { kind, sku, quantity } of lines) {
      if (kind !== 'tokens') continue;
      const name = `${tenant_id} ${sku}`;
      // Quantities are millions with six decimals: a token is the last digit.
      sums[name] = (sums[name] ?? 0) + Number(quantity.replace('.', ''));
    }
  return sums;
}

/** The same from the rows that were planted. */
export function plantedTokens(rows: readonly UsageRow[], period: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { team, input, output } of rows.filter((row) => monthOf(row.atMs) === period))
    for (const [sku, tokens] of [
      ['chat:input_uncached', input],
      ['chat:output', output],
    ] as const) {
      if (tokens === 0) continue;
      sums[`${team} ${sku}`] = (sums[`${team} ${sku}`] ?? 0) + tokens;
    }
  return sums;
}

export interface History {
  readonly snapshot: Snapshot;
  readonly commits: number;
}

/** The whole store is sound: chain, every commit once and folded once, every file there with its bytes, every line accounted for. */
export async function assertSound(store: ObjectStore): Promise<History> {
  const snapshot = await newestSnapshot(store);
  assert.ok(snapshot !== null, 'there is a snapshot');
  assert.equal(await verifyChain(store), snapshot.n);
  const stored = new Map<string, number>();
  for await (const { key } of store.list('_commits/')) {
    const { cid, generation } = parseCommitKey(key);
    assert.notEqual(await readCommit(store, cid, generation), null);
    stored.set(cid, Math.max(generation, stored.get(cid) ?? 0));
  }
  const folded = new Map<string, number>();
  let order = 0;
  for await (const { cid, generation, fold_seq } of snapshotCommits(store, snapshot)) {
    assert.ok(!folded.has(cid), `${cid} is folded twice`);
    assert.ok(fold_seq >= order && fold_seq <= snapshot.n, 'fold order');
    order = fold_seq;
    folded.set(cid, generation);
  }
  assert.deepEqual([...folded].sort(), [...stored].sort(), 'folded = committed');
  await verifyFiles(store, await snapshotFiles(store, snapshot));
  for (const [source, { physical, valid, quarantined, blank }] of Object.entries(snapshot.totals))
    assert.equal(physical, valid + quarantined + blank, `lines of ${source}`);
  return { snapshot, commits: folded.size };
}

export async function countKeys(store: ObjectStore, prefix: string): Promise<number> {
  let count = 0;
  for await (const _ of store.list(prefix)) count++;
  return count;
}
