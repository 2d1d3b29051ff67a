/** `kashi export` and `kashi report` as a person starts them: what is written for an open month and for a closed one, in which names. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { readXlsx } from 'hucre';
import { openDuckdb } from '../../functions/adapters/duckdb.ts';
import { rate } from '../../functions/cli/bill.ts';
import { writeClosedFiles, writeProvisionalFiles } from '../../functions/cli/export.ts';
import { readClosed } from '../../functions/cli/proof.ts';
import { type Session, withSession } from '../../functions/cli/session.ts';
import { json, kashi } from '../cli/run.ts';
import { type LivingCentre, livingCentre } from '../close/support.ts';

let living: LivingCentre;
before(async () => {
  living = livingCentre(join(import.meta.dirname, '..', 'close', 'situations', 'price-agreed-late-is-reversed-and-restated'));
  await living.land(['usage-1.csv']);
});
after(() => living.remove());

function exported(format: string, out: string, ...more: string[]): string[] {
  const { code, stderr } = kashi(['export', '2025-10', '--format', format, '--lang', 'zh-CN', '--output', out, ...more], {
    cwd: living.directory,
  });
  assert.equal(code, 0, stderr);
  return readdirSync(join(living.directory, out)).sort();
}

/** Writes all that one of two tenants can be given of the month, and reads it. Returns how many files. */
async function assertOwnOnly(state: 'open' | 'closed'): Promise<number> {
  const centre = living.open();
  const closed = await readClosed(centre, '2025-10');
  assert.equal(closed === null, state === 'open');
  let count = 0;
  for (const format of ['csv', 'xlsx', 'pdf', 'html', 'parquet', 'focus'] as const) {
    const directory = join(living.directory, 'own', state, format);
    const files = { format, directory, tenant: 'search', language: 'en', focusVersion: '1.2' } as const;
    const write = async (session: Session): Promise<string[]> =>
      await writeProvisionalFiles(session, (await rate(session, '2025-10', 'search')).document, files);
    const written = closed === null ? await withSession(centre, '2025-10', write) : await writeClosedFiles(centre, closed, files);
    for (const file of written) {
      const text = await said(file);
      assert.ok(!/research/i.test(text), `${file} says something of another tenant`);
      assert.ok(/\.pdf$|bill_unrated/.test(file) || text.includes('search'), `${file} says whose it is`);
    }
    count += written.length;
  }
  return count;
}

/** Everything that a file says, as text; of a PDF its bytes, which documents.suite.ts reads page by page. */
async function said(file: string): Promise<string> {
  if (file.endsWith('.xlsx')) return JSON.stringify((await readXlsx(readFileSync(file))).sheets.map(({ name, rows }) => [name, rows]));
  if (!file.endsWith('.parquet')) return readFileSync(file, 'utf8');
  const { connection, close } = await openDuckdb({ directories: [dirname(file)], temporaryDirectory: dirname(file) });
  const reader = await connection.runAndReadAll(`select cast(rows as varchar) from '${file}' as rows`);
  close();
  return reader.getRows().join('\n');
}

test('what a tenant is given of an open month is its own, in every format', async () => assert.equal(await assertOwnOnly('open'), 12));

test('a month that is not closed gives estimates, and only estimates', () => {
  assert.deepEqual(exported('html', 'open'), ['estimate-research.zh-CN.html', 'estimate-search.zh-CN.html', 'estimate.zh-CN.html']);
  assert.ok(exported('focus', 'open').includes('focus-1.2-estimate.parquet'));
  assert.deepEqual(exported('pdf', 'one', '--tenant', 'search'), ['estimate-search.zh-CN.pdf']);
  assert.ok(!readFileSync(join(living.directory, 'open', 'focus-1.2-estimate.csv'), 'utf8').includes('2025-10:research'), 'no invoice id');
  assert.ok(!readFileSync(join(living.directory, 'open', 'estimate-search.zh-CN.html'), 'utf8').includes('research'));
});

test('a closed month gives statements that carry its hash; CSV comes with the tables and the proof', async () => {
  assert.equal((await living.close('2025-10')).state, 'closed');
  const { sha256 } = json<{ sha256: string }>(
    kashi(['export', '2025-10', '--format', 'html', '--lang', 'en', '--output', 'closed', '--json'], { cwd: living.directory }),
  );
  assert.ok(readFileSync(join(living.directory, 'closed', 'statement-search.en.html'), 'utf8').includes(sha256));
  assert.deepEqual(
    exported('xlsx', 'closed').filter((name) => name.endsWith('.xlsx')),
    ['statement-research.zh-CN.xlsx', 'statement-search.zh-CN.xlsx', 'statement.zh-CN.xlsx'],
  );
  const csv = exported('csv', 'tables');
  for (const name of ['bill_line.csv', 'evidence.json', 'verify-bill.mjs', 'statement.zh-CN.csv']) assert.ok(csv.includes(name), name);
  assert.ok(!csv.some((name) => name.startsWith('estimate')));
});

test('what a tenant is given of a closed month is its own, in every format', async () => assert.equal(await assertOwnOnly('closed'), 12));

test('a tenant without a bill is an error, not an empty statement', () => {
  const { code, stderr } = kashi(['export', '2025-10', '--format', 'pdf', '--tenant', 'nobody', '--output', 'none'], {
    cwd: living.directory,
  });
  assert.equal(code, 2);
  assert.ok(stderr.includes('nobody') && !existsSync(join(living.directory, 'none')), stderr);
});

test('a format, language or version that there is none of is refused with those that there are', () => {
  for (const [option, value, allowed] of [
    ['--format', 'docx', 'pdf'],
    ['--lang', 'fr', 'zh-CN'],
    ['--focus-version', '0.5', '1.4'],
  ] as const) {
    const { code, stderr } = kashi(['export', '2025-10', option, value], { cwd: living.directory });
    assert.equal(code, 2);
    assert.ok(stderr.includes(allowed), stderr);
  }
});

test('the report is written in both languages, and the SQL of a figure gives its numbers', () => {
  const { code, stderr } = kashi(['report', '2025-10', '--out', 'site', '--lang', 'en'], { cwd: living.directory });
  assert.equal(code, 0, stderr);
  const site = join(living.directory, 'site');
  assert.equal(readFileSync(join(site, 'index.html'), 'utf8'), readFileSync(join(site, 'en.html'), 'utf8'));
  assert.ok(existsSync(join(site, 'zh-CN.html')));
  assert.equal(readdirSync(join(site, 'sql')).length, readdirSync(join(site, 'data')).length);
  for (const name of ['advice.sql', 'tenant_days.sql']) {
    const sql = readFileSync(join(site, 'sql', name), 'utf8');
    const ran = kashi(['query', sql, '--period', '2025-10', '--format', 'csv'], { cwd: living.directory });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stdout, readFileSync(join(site, 'data', name.replace('.sql', '.csv')), 'utf8'), name);
  }
});
