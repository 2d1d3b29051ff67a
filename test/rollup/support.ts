/** A month's bill from rollups and from rows: they must be the same, member by member and byte by byte. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rate } from '../../functions/cli/bill.ts';
import { withRolledSession } from '../../functions/cli/rolled-session.ts';
import { withSession } from '../../functions/cli/session.ts';
import type { Centre } from '../../functions/cli/wiring.ts';
import { PREFIX } from '../../functions/contract.ts';
import { canonicalJson } from '../../functions/domain/canonical-json.ts';

/** Bill and checks from rollups, however small the warehouse is. */
export async function rolledBill(centre: Centre, period: string): Promise<Awaited<ReturnType<typeof rate>>> {
  return await withRolledSession(centre, period, (session) => rate(session, period, null), { fromRows: 0 });
}

/** Asserts that bill, unrated lines and every check agree. Returns the bill's total. */
export async function assertSame(centre: Centre, period: string, why: string): Promise<string> {
  const rolled = await rolledBill(centre, period);
  const rows = await withSession(centre, period, (session) => rate(session, period, null));
  assert.deepEqual(rolled, rows, why);
  assert.equal(canonicalJson(texts(rolled)), canonicalJson(texts(rows)), `${why}, byte by byte`);
  return rows.document.total;
}

/** Canonical JSON holds integers and text. */
function texts(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Keys of what is kept, sorted. */
export async function kept(centre: Centre, below = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of centre.store.list(`${PREFIX.rollups}${below}`)) keys.push(key);
  return keys;
}

export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
