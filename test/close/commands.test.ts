/** The commands on closed months as a person or a script starts them: exit codes, JSON, text that says what to do. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { BillDocument } from '../../functions/billing/bill-document.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import { json, kashi, type Ran } from '../cli/run.ts';
import { centreIn, type LivingCentre, livingCentre } from './support.ts';

const ROWS = join(import.meta.dirname, 'situations', 'late-rows-become-corrections');
const UNKNOWN = join(import.meta.dirname, 'situations', 'unknown-team-waived-then-mapped');
let living: LivingCentre;
let run: (...args: string[]) => Ran;

before(async () => {
  living = livingCentre(ROWS);
  await living.land(['usage-1.csv']);
  run = (...args) => kashi(args, { cwd: living.directory });
});
after(() => living.remove());

/** Path → SHA-256 of every file below these folders of the warehouse. */
function bytesBelow(...parts: readonly string[]): Record<string, string> {
  const files = parts.flatMap((part) =>
    readdirSync(join(living.directory, 'warehouse', part), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return Object.fromEntries(files.sort().map((file) => [file, sha256Hex(readFileSync(file))]));
}

describe('a month from open to adjusted', () => {
  let sha256 = '';

  test('verify and correct of a month that is not closed say so', () => {
    const verified = run('verify', '2025-10', '--json');
    assert.equal(verified.code, 1);
    const report = json<{ period: string; matches: boolean; sha256: null; problem: { message: string } }>(verified);
    assert.deepEqual(
      [report.period, report.matches, report.sha256, report.problem.message],
      ['2025-10', false, null, 'the month is not closed'],
    );
    const corrected = run('correct', '2025-10', '--json');
    assert.match(run('verify', '2025-10').stdout, /^2025-10 CANNOT BE VERIFIED: the month is not closed$/m);
    assert.equal(corrected.code, 2);
    assert.equal(json<{ error: { code: string } }>(corrected).error.code, 'not_found');
  });

  test('close makes the key, readable by its owner alone, and closes', () => {
    const ran = run('close', '2025-10');
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    assert.match(ran.stdout, /^Made the signing key .*kashi-signing-key\.pem/);
    assert.match(
      ran.stdout,
      /Closed 2025-10\.[\s\S]*Total 10\.00 CNY[\s\S]*residual 0[\s\S]*SHA-256 [0-9a-f]{64}[\s\S]*kashi verify 2025-10/,
    );
    assert.equal(statSync(join(living.directory, 'kashi-signing-key.pem')).mode & 0o777, 0o600);
    assert.equal(existsSync(join(living.directory, 'kashi-signing-key.pub.pem')), true);
  });

  test('closing again changes nothing', () => {
    const ran = json<{ already_closed: boolean; sha256: string; state: string }>(run('close', '2025-10', '--json'));
    assert.deepEqual([ran.already_closed, ran.state], [true, 'closed']);
    sha256 = ran.sha256;
  });

  test('verify gives the same digest without network', () => {
    const ran = run('verify', '2025-10', '--json');
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    const report = json<{ period: string; sha256: string; matches: boolean; isolation: { network: string } }>(ran);
    assert.deepEqual([report.period, report.sha256, report.matches], ['2025-10', sha256, true]);
    assert.match(run('verify', '2025-10').stdout, new RegExp(`2025-10 matches: SHA-256 ${sha256}`));
  });

  test('the bill prints every equation with residual 0', () => {
    const { stdout } = run('bill', '2025-10');
    const printed = stdout.split('\n').filter((line) => line.includes('; residual ') || line.startsWith('checks: '));
    const names = ['lines', 'rows', 'tokens', 'control', 'gpu time', 'money', 'cost', 'telescoping', 'chain', 'twin', 'checks'];
    assert.deepEqual(
      names.filter((name) => !printed.some((line) => line.startsWith(`${name} `) || line.startsWith(`${name}: `))),
      [],
    );
    for (const line of printed) assert.match(line, /residual 0$|; 0 rows are wrong$/);
  });

  test('nothing that the tool can do changes the closed bill', async () => {
    const bill = run('bill', '2025-10', '--json').stdout;
    const issued = bytesBelow('bills', 'closes', 'objects');
    await living.land(['usage-2.csv', 'allocations-3.csv']);
    const landing = join(living.directory, 'landing');
    for (const args of [
      ['ingest', landing],
      ['ingest', landing, '--reparse'],
      ['close', '2025-10'],
      ['keys', 'init'],
      ['export', '2025-10', '--output', 'out'],
      ['correct', '2025-10'],
      ['compact', '--min-files', '2', '--quiet-days', '0'],
      ['collect', '--grace-days', '2', '--keep-days', '2'],
      ['watch', '--once', '--settle-seconds', '0'],
      ['whatif', '2025-10', '--price-book', 'price-book.yaml'],
    ])
      assert.equal(run(...args).code, 0, args.join(' '));
    for (const sql of ['delete from bill_line', "copy (select 1) to 'warehouse/bills/2025-10/000.json'", 'drop view bill_line'])
      assert.notEqual(run('query', sql).code, 0, sql);
    const book = join(living.directory, 'price-book.yaml');
    const before = readFileSync(book, 'utf8');
    writeFileSync(book, before.replace('output: "8"', 'output: "80"'));
    assert.equal(run('close', '2025-10').code, 0);
    assert.equal(run('waive', '2025-10', 'held:x', '--by', 'a', '--reason', 'b').code, 2);
    assert.equal(run('bill', '2025-10', '--json').stdout, bill);
    assert.equal(run('verify', '2025-10').code, 0);
    assert.deepEqual(bytesBelow('bills', 'closes', 'objects'), issued);
    writeFileSync(book, before);
  });

  test('the next provisional bill shows the corrections to come, and the next bill issues them', () => {
    const provisional = json<BillDocument>(run('bill', '2025-11', '--json'));
    assert.equal(provisional.state, 'provisional');
    const coming = provisional.bills.flatMap(({ lines }) => lines).filter(({ kind }) => kind === 'correction');
    assert.deepEqual(
      coming.map(({ charge_period, cause, amount }) => [charge_period, cause, amount]),
      [
        ['2025-10', 'late', '20.00'],
        ['2025-10', 'late', '2.00'],
      ],
    );
    assert.equal(run('close', '2025-11').code, 0);
    const closed = json<BillDocument & { sha256: string }>(run('bill', '2025-11', '--json'));
    assert.equal(closed.state, 'closed');
    assert.deepEqual(
      closed.bills.flatMap(({ lines }) => lines).filter(({ kind }) => kind === 'correction'),
      coming,
    );
    assert.equal(closed.total, provisional.total);
    assert.equal(json<BillDocument>(run('bill', '2025-10', '--json')).state, 'adjusted');
    const [line] = coming;
    const explained = run('explain', line?.line_id ?? '');
    assert.match(explained.stdout, new RegExp(`It repairs line ${line?.corrects_line_id} of 2025-10`));
    assert.match(explained.stdout, /allocations-3\.csv/);
  });

  test('status and query show months as they were issued', () => {
    const status = json<{ period_states: { period: string; state: string }[] }>(run('status', '--json'));
    assert.deepEqual(
      status.period_states.map(({ period, state }) => `${period} ${state}`),
      ['2025-10 adjusted', '2025-11 closed'],
    );
    const rows = json<{ period: string; total: string }[]>(
      run('query', 'select period, sum(total) as total from bill group by period order by period', '--json'),
    );
    assert.deepEqual(
      rows.map(({ period, total }) => [period, total]),
      [
        ['2025-10', '10.00'],
        ['2025-11', '24.00'],
      ],
    );
  });

  test('a tenant gets a bill without the others, as CSV and Parquet', () => {
    const exported = json<{ files: string[]; state: string; sha256: string }>(
      run('export', '2025-11', '--format', 'parquet', '--tenant', 'research', '--output', 'mine', '--json'),
    );
    assert.deepEqual([exported.state, exported.files.length], ['closed', 3]);
    run('export', '2025-11', '--output', 'all');
    const lines = readFileSync(join(living.directory, 'all', 'bill_line.csv'), 'utf8')
      .trim()
      .split(/\r?\n/);
    assert.match(lines[0] ?? '', /corrects_line_id,corrects_kind,corrects_bill,charge_period,cause,part$/);
    assert.equal(lines.length, 4);
    assert.ok(lines.some((line) => line.includes(',correction,') && line.endsWith(',2025-10,late,difference')));
  });
});

describe('a month that cannot be closed', () => {
  test('names what is in the way, exit code 3, and how to answer for it', async () => {
    const other = livingCentre(UNKNOWN);
    try {
      await other.land(['usage-1.csv']);
      const refused = kashi(['close', '2025-10'], { cwd: other.directory });
      assert.equal(refused.code, 3);
      assert.match(refused.stdout, /2 things are in the way[\s\S]*unrated:f9f3a5883c460d22[\s\S]*kashi waive 2025-10 "unrated:/);
      const closing = kashi(['status', '--json'], { cwd: other.directory });
      assert.equal(json<{ period_states: { state: string }[] }>(closing).period_states[0]?.state, 'provisional');
      const silent = kashi(['waive', '2025-10', 'unrated:f9f3a5883c460d22', '--by', 'a', '--reason', ' '], { cwd: other.directory });
      assert.equal(silent.code, 2);
      assert.equal(kashi(['waive', '2025-10', 'everything', '--by', 'a', '--reason', 'b'], { cwd: other.directory }).code, 2);
    } finally {
      other.remove();
    }
  });

  test('what landed and was not ingested is in the way', async () => {
    const other = livingCentre(ROWS);
    try {
      await other.land(['usage-1.csv']);
      writeFileSync(
        join(other.directory, 'landing', 'usage-9.csv'),
        'id,at,team,model,input,output\nr9,2025-10-07T12:00:00+08:00,research,chat,1,1\n',
      );
      const outcome = await centreIn(other.directory, ROWS).close('2025-10');
      assert.deepEqual(outcome.state === 'refused' && outcome.hindrances.map(({ subject }) => subject), ['landed:usage-9.csv']);
    } finally {
      other.remove();
    }
  });

  test('a lost key is never replaced, and one that others can read is refused', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kashi-key-'));
    const key = join(living.directory, 'kashi-signing-key.pem');
    const bytes = readFileSync(key);
    rmSync(key);
    const lost = run('close', '2025-12', '--json');
    assert.deepEqual([lost.code, json<{ error: { code: string } }>(lost).error.code], [2, 'config_missing']);
    writeFileSync(key, bytes, { mode: 0o644 });
    const open = run('close', '2025-12', '--json');
    assert.match(json<{ error: { found: string } }>(open).error.found, /mode 0644/);
    rmSync(key);
    writeFileSync(key, bytes, { mode: 0o600 });
    assert.equal(run('close', '2025-12').code, 0);
    rmSync(folder, { recursive: true });
  });
});
