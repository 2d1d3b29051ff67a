/** A few bad rows in a small file cost those rows; a file without one good row is held and says why. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testCentre } from '../support/centre.ts';

const MAP = `fact: allocation
format: csv
key: [id]
columns:
  workload_id: {column: id}
  tenant_key: {column: who}
  accelerator_model: {const: h800}
  accelerator_count: {column: n}
  start_at: {column: start}
  end_at: {column: end}
`;
const HEADER = 'id,who,n,start,end\n';

async function ingested<T>(
  rows: string,
  use: (centre: ReturnType<typeof testCentre>, report: Awaited<ReturnType<ReturnType<typeof testCentre>['ingest']>>) => Promise<T> | T,
): Promise<T> {
  const centre = testCentre(null);
  try {
    mkdirSync(join(centre.directory, 'landing'));
    writeFileSync(join(centre.directory, 'landing', 'a.csv'), HEADER + rows);
    writeFileSync(join(centre.directory, 'map.yaml'), MAP);
    const report = await centre.ingest([join(centre.directory, 'landing')], { map: join(centre.directory, 'map.yaml') });
    return await use(centre, report);
  } finally {
    centre.remove();
  }
}

test('one bad row of four is quarantined, the others count', async () => {
  const rows = ['a', 'b', 'c'].map((id) => `${id},t,1,2026-10-01T00:00:00Z,2026-10-01T01:00:00Z\n`).join('');
  const { total, held } = await ingested(`${rows}d,t,-1,2026-10-01T00:00:00Z,\n`, (_centre, report) => report);
  assert.deepEqual([total.valid, total.quarantined, total.blank, total.residual, held.length], [3, 1, 1, 0, 0]);
});

test('no good row at all: held, with the reason, field and line of the first', async () => {
  const { total, held } = await ingested('a,t,-1,2026-10-01T00:00:00Z,\nb,t,x,2026-10-01T00:00:00Z,\n', (_centre, report) => report);
  assert.deepEqual([total.held, total.rows], [1, 0]);
  assert.match(held[0]?.detail ?? '', /found 2 bad .*first at line 2: negative n /);
});

test('an allocation of the future, open or ended, is billed to the period ends whatever the clock says', async () => {
  const rows = 'open,t,8,2098-12-27T22:00:00Z,\nended,t,1,2098-11-30T15:00:00Z,2098-11-30T17:00:00Z\n';
  await ingested(rows, async (centre) => {
    const quantities = async (period: string): Promise<[string, string][]> =>
      (await centre.bill(period)).document.unrated.map((line) => [line.workload_id, line.quantity]);
    // Asia/Shanghai: the month turns at 16:00 UTC; 27 Dec 22:00 to 31 Dec 16:00 is 90 hours on 8 accelerators.
    assert.deepEqual(await quantities('2098-12'), [
      ['ended', '1.000000'],
      ['open', '720.000000'],
    ]);
    assert.deepEqual(await quantities('2098-11'), [['ended', '1.000000']]);
    assert.deepEqual(await quantities('2099-01'), [['open', '5952.000000']]);
  });
});
