/** `kashi query` and `kashi shell`: formats that read back equal, and SQL that gets nowhere it should not. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { tableFromIPC } from 'apache-arrow';
import { prepare } from '../../functions/cli/query.ts';
import { csvCell } from '../../functions/cli/query-format.ts';
import type { Session } from '../../functions/cli/session.ts';
import { splitCsv } from '../../functions/ingest/csv.ts';
import { PUBLIC_VIEWS } from '../../functions/warehouse/run.ts';
import { LITELLM } from '../ingest/formats.ts';
import { json, kashi } from './run.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'kashi-query-'));
  mkdirSync(join(folder, 'landing'));
  const rows = ['team-a', '=HYPERLINK("http://x")', '键, "quoted"', '-1', '@x'].map((team, n) =>
    JSON.stringify({ ...(JSON.parse(LITELLM.good(n)) as object), metadata: { user_api_key_team_id: team } }),
  );
  writeFileSync(join(folder, 'landing/usage.jsonl'), `${rows.join('\n')}\n`);
  writeFileSync(join(folder, 'kashi.yaml'), 'tenants: {unmapped: as_is}\n');
  writeFileSync(join(folder, 'outside.csv'), 'secret\n1\n');
  assert.equal(kashi(['ingest', 'landing'], { cwd: folder }).code, 0);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const ALL_TYPES = `select tenant_id, output_tokens, cast(output_tokens as decimal(20,6)) as millionths, -cast(output_tokens as decimal(38,16)) as negative,
  event_at, image_digest, tenant_id is null as nobody, 9007199254740993 as wide
  from fct_token_usage order by request_key`;
const TENANTS = ['team-a', '=HYPERLINK("http://x")', '键, "quoted"', '-1', '@x'];

interface AllTypes {
  readonly tenant_id: string;
  readonly output_tokens: number;
  readonly millionths: string;
  readonly negative: string;
  readonly event_at: string;
  readonly image_digest: null;
  readonly nobody: boolean;
  readonly wide: string;
}

describe('formats', () => {
  let rows: AllTypes[] = [];
  before(() => {
    rows = json<AllTypes[]>(kashi(['query', ALL_TYPES, '--format', 'json'], { cwd: folder }));
  });

  it('json keeps every digit', () => {
    assert.deepEqual(rows.map(({ tenant_id }) => tenant_id).toSorted(), TENANTS.toSorted());
    const { output_tokens, millionths, negative, image_digest, nobody, wide } = rows[0]!;
    assert.deepEqual(
      { output_tokens, millionths, negative, image_digest, nobody, wide },
      {
        output_tokens: 5,
        millionths: '5.000000',
        negative: '-5.0000000000000000',
        image_digest: null,
        nobody: false,
        wide: '9007199254740993',
      },
    );
    assert.deepEqual(json(kashi(['query', ALL_TYPES, '--json'], { cwd: folder })), rows);
    assert.deepEqual(json(kashi(['query', 'select 1 as a where false', '--json'], { cwd: folder })), []);
  });
  it('csv reads back equal, with formulas disarmed and numbers left alone', () => {
    const [header = '', ...lines] = kashi(['query', ALL_TYPES, '--format', 'csv'], { cwd: folder }).stdout.trimEnd().split('\r\n');
    assert.deepEqual(splitCsv(header, ','), Object.keys(rows[0]!));
    const cells = lines.map((line) => splitCsv(line, ',') ?? []);
    const disarmed = (text: string): string => (/^[=+\-@]/.test(text) ? `'${text}` : text);
    assert.deepEqual(
      cells,
      rows.map((row) =>
        Object.entries(row).map(([name, value]) => (value === null ? '' : name === 'tenant_id' ? disarmed(String(value)) : String(value))),
      ),
    );
    assert.equal(cells.filter(([tenant = '']) => tenant.startsWith("'")).length, 3);
    assert.ok(cells.every((line) => line[3] === '-5.0000000000000000'));
  });
  it('parquet reads back equal', async () => {
    const ran = kashi(['query', ALL_TYPES, '--format', 'parquet', '--output', 'out/rows.parquet', '--json'], { cwd: folder });
    assert.deepEqual([ran.code, json(ran)], [0, { file: 'out/rows.parquet', format: 'parquet' }]);
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    const reader = await connection.runAndReadAll(`select * from read_parquet('${join(folder, 'out/rows.parquet')}')`);
    const stored = reader
      .getRowObjects()
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)])));
    connection.closeSync();
    instance.closeSync();
    assert.deepEqual(
      stored,
      rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)]))),
    );
    assert.deepEqual(readdirSync(join(folder, 'out')), ['rows.parquet']);
  });
  it('arrow reads back equal, decimals as decimals', () => {
    const table = tableFromIPC(kashi(['query', ALL_TYPES, '--format', 'arrow'], { cwd: folder }).bytes);
    assert.deepEqual(
      table.schema.fields.map(({ name, type }) => `${name}: ${type}`),
      [
        'tenant_id: Utf8',
        'output_tokens: Int64',
        'millionths: Decimal[20e+6]',
        'negative: Decimal[38e+16]',
        'event_at: Timestamp<MILLISECOND>',
        'image_digest: Utf8',
        'nobody: Bool',
        'wide: Int64',
      ],
    );
    const words = (value: unknown): bigint =>
      BigInt.asIntN(
        128,
        [...(value as Uint32Array)].reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n),
      );
    const got = table.toArray().map((row) => {
      const { tenant_id, output_tokens, millionths, negative, event_at, image_digest, nobody, wide } = (
        row as { toJSON(): Record<string, unknown> }
      ).toJSON();
      return [tenant_id, String(output_tokens), words(millionths), words(negative), Number(event_at), image_digest, nobody, String(wide)];
    });
    assert.deepEqual(
      got,
      rows.map((row) => [
        row.tenant_id,
        String(row.output_tokens),
        BigInt(row.millionths.replace('.', '')),
        BigInt(row.negative.replace('.', '')),
        Date.parse(`${row.event_at.replace(' ', 'T')}Z`),
        row.image_digest,
        row.nobody,
        row.wide,
      ]),
    );
  });
  it('table shows null as ∅ and the number of rows', () => {
    const { stdout } = kashi(['query', ALL_TYPES], { cwd: folder });
    assert.match(stdout, /∅/);
    assert.match(stdout, /\n5 rows\n$/);
    assert.match(kashi(['query', "select chr(27) || '[31m' || chr(10) || 'x' as evil"], { cwd: folder }).stdout, /�\[31m�x/);
  });
  it('cells of CSV', () => {
    const cases: readonly (readonly [string | null, boolean, string])[] = [
      [null, true, ''],
      ['', true, '""'],
      ['=1', true, "'=1"],
      ['=1', false, '=1'],
      ['-1', false, '-1'],
      ['+a', true, "'+a"],
      ['@a', true, "'@a"],
      ['\ta', true, "'\ta"],
      ['\ra', true, `"'\ra"`],
      ['\u0000=1', true, "'\u0000=1"],
      ['a=1', true, 'a=1'],
      ['a"b', true, '"a""b"'],
      ['a\nb', true, '"a\nb"'],
    ];
    for (const [cell, isText, expected] of cases) assert.equal(csvCell(cell, isText), expected);
  });
});

describe('statements', () => {
  const answered: readonly string[] = [
    'select 1; -- and that is all',
    'select 1 /* one */ ;',
    '  with a as (select 1) select * from a',
    'describe fct_token_usage',
    'show tables',
    'explain select 1',
    'from fct_token_usage',
    "select ';' as semicolon",
  ];
  for (const sql of answered) it(`${sql} is answered`, () => assert.equal(kashi(['query', sql], { cwd: folder }).code, 0));
  it('also as Parquet, with a comment at its end', () => {
    assert.equal(
      kashi(['query', 'select 1 as one; -- done', '--format', 'parquet', '--output', 'comment.parquet'], { cwd: folder }).code,
      0,
    );
    assert.ok(existsSync(join(folder, 'comment.parquet')));
  });

  /** All in one process: a refused statement must leave nothing behind for the next either. */
  it('a file of the warehouse is not written over, under any name and in any format', () => {
    const snapshots = join(folder, 'warehouse', '_snap');
    const [name = ''] = readdirSync(snapshots);
    const before = readFileSync(join(snapshots, name));
    symlinkSync(join(folder, 'warehouse', '_snap'), join(folder, 'elsewhere'));
    symlinkSync(join(snapshots, name), join(folder, 'link.csv'));
    for (const output of [
      join('warehouse', '_snap', name),
      join('elsewhere', name),
      'link.csv',
      'warehouse/new/folder/x.csv',
      'landing/../warehouse/x',
    ])
      for (const format of ['csv', 'parquet']) {
        const ran = kashi(['query', 'select 1 as one', '--format', format, '--output', output], { cwd: folder });
        assert.deepEqual([ran.code, /cannot be written into a warehouse/.test(ran.stderr)], [2, true], output);
      }
    assert.deepEqual(readFileSync(join(snapshots, name)), before);
    assert.equal(existsSync(join(folder, 'warehouse', 'new')), false);
    for (const link of ['elsewhere', 'link.csv']) rmSync(join(folder, link));
  });

  it('a changed byte of a stored file is refused, not summed', () => {
    const data = join(folder, 'warehouse', 'data', 'token_usage');
    const file = readdirSync(data, { recursive: true, withFileTypes: true }).find((entry) => entry.isFile());
    assert.ok(file !== undefined);
    const path = join(file.parentPath, file.name);
    const bytes = readFileSync(path);
    for (const at of [10, Math.floor(bytes.length / 2), bytes.length - 12]) {
      const changed = Buffer.from(bytes);
      changed[at] = changed[at]! ^ 4;
      writeFileSync(path, changed);
      const ran = kashi(['query', 'select sum(output_tokens) from fct_token_usage'], { cwd: folder });
      assert.deepEqual([ran.code, ran.stdout, /cannot be trusted/.test(ran.stderr)], [2, '', true], `byte ${at}`);
    }
    writeFileSync(path, bytes);
  });

  it('what writes, leaves or reconfigures is refused', () => {
    symlinkSync('/etc/passwd', join(folder, 'warehouse', 'passwd.csv'));
    const outside = join(folder, 'outside.csv');
    const refused = [
      'select 1; select 2',
      'create table t (a int)',
      'create view v as select 1',
      'insert into raw_file values (1, 2)',
      'update raw_object set source = 1',
      'delete from raw_object',
      'drop view fct_token_usage',
      "copy (select 1) to 'x.csv'",
      `copy (select 1) to '${join(folder, 'warehouse', 'x.csv')}'`,
      "copy raw_object from 'x.csv'",
      "attach 'x.db'",
      'install httpfs',
      'load httpfs',
      'set memory_limit = 1',
      'set enable_external_access = true',
      'reset enable_external_access',
      "pragma memory_limit = '1GB'",
      'call pragma_version()',
      'checkpoint',
      'begin transaction',
      "export database 'x'",
      "import database 'x'",
      'create secret s (type s3)',
      'prepare p as select 1',
      'vacuum',
      'use memory',
      "select * from read_csv('/etc/passwd')",
      "select * from '/etc/passwd'",
      "select * from read_text('/etc/hostname')",
      "select * from read_blob('/proc/self/environ')",
      "select * from glob('/etc/*')",
      "select * from glob('/**')",
      `select * from read_csv('${outside}')`,
      `select * from read_csv('${join(folder, 'warehouse', '..', 'outside.csv')}')`,
      `select * from read_csv('${join(folder, 'warehouse', 'passwd.csv')}')`,
      "select * from read_csv('../outside.csv')",
      "select * from read_csv('http://127.0.0.1:1/x')",
      "select * from read_parquet('s3://bucket/x')",
      "select * from sniff_csv('/etc/passwd')",
      "select * from parquet_metadata('/etc/passwd')",
      "select * from query('select 1; select 2')",
      "select getenv('HOME')",
      '',
      ';',
      '-- nothing',
    ];
    const input = refused.map((sql) => `${sql};`).join('\n');
    const { code, stdout } = kashi(['shell', '--json'], { cwd: folder, input: `${input}\nselect count(*) as n from fct_token_usage;\n` });
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { error?: { code: string; found: string } } | { n: number }[]);
    const through = refused.filter((sql, index) => !('error' in (answers[index] ?? {})) && sql !== '');
    assert.deepEqual(through, []);
    assert.ok(answers.slice(0, -1).every((answer) => 'error' in answer && answer.error?.code === 'sql_refused'));
    assert.deepEqual(answers.at(-1), [{ n: 5 }]);
    assert.equal(stdout.includes('root:'), false);
    assert.equal(code, 2);
    assert.deepEqual(
      readdirSync(folder).filter((name) => /^x/.test(name)),
      [],
    );
    assert.equal(existsSync(join(folder, 'warehouse', 'x.csv')), false);
  });
  it("a statement that fails while it runs is the asker's to mend", () => {
    for (const [sql, found] of [
      ["select cast('x' as integer)", /Conversion/],
      ['select no_such from fct_token_usage', /no_such/],
      ['selec 1', /syntax/i],
      ['', /no statement/],
      [' -- only a comment', /no statement/],
      ['select * from fct_nothing', /fct_nothing/],
    ] as const) {
      const ran = kashi(['query', sql, '--json'], { cwd: folder });
      assert.equal(ran.code, 2);
      const { error } = json<{ error: { code: string; found: string } }>(ran);
      assert.equal(error.code, 'sql_refused');
      assert.match(error.found, found);
      assert.equal(ran.stderr, '');
    }
  });
});

describe('shell', () => {
  it('answers piped statements, over lines and without a last semicolon', () => {
    const { code, stdout, stderr } = kashi(['shell'], {
      cwd: folder,
      input: '.views\nselect count(*) as n\nfrom fct_token_usage;\n\nselect 2 as two',
    });
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /fct_token_usage +one /);
    assert.match(stdout, /\nn\n─\n5\n1 row\n/);
    assert.match(stdout, /\ntwo\n───\n {2}2\n1 row\n$/);
  });
  it('a wrong statement is answered and the next one runs', () => {
    const { code, stdout, stderr } = kashi(['shell'], { cwd: folder, input: 'drop table x;\nselect 7 as seven;\n' });
    assert.equal(code, 2);
    assert.match(stderr, /the statement does not run/);
    assert.match(stdout, /seven/);
  });
  it('.columns says what the columns of a view mean', () => {
    const { code, stdout } = kashi(['shell'], { cwd: folder, input: '.columns bill_line\n.columns no_such\n' });
    assert.equal(code, 0);
    assert.match(stdout, /^Charge lines: quantity × unit price = exact amount/);
    assert.match(stdout, /\ncoverage +decimal\(10,6\) +ratio 0–1 +share of device time with evidence\n/);
    assert.match(stdout, /\nno view no_such; \.views lists them\n$/);
  });
  it('an engine that would find the quarantine empty is not asked', async () => {
    const session = { centre: { engine: 'trino' } } as unknown as Session;
    await assert.rejects(prepare(session, 'select * from quarantine'), { code: 'sql_refused' });
  });
  it('the catalogue says what every view and column means', () => {
    const names = [...PUBLIC_VIEWS, 'quarantine'].map((name) => `'${name}'`).join(', ');
    const sql = `select table_name, count(*) as columns, count(comment) as said from duckdb_columns() where table_name in (${names}) group by table_name`;
    const columns = json<{ table_name: string; columns: number; said: number }[]>(kashi(['query', sql, '--json'], { cwd: folder }));
    assert.equal(columns.length, PUBLIC_VIEWS.length + 1);
    assert.deepEqual(
      columns.filter((one) => one.said !== one.columns),
      [],
    );
    const views =
      'select view_name as name from duckdb_views() where comment is not null union all select table_name from duckdb_tables() where comment is not null';
    assert.equal(json<unknown[]>(kashi(['query', views, '--json'], { cwd: folder })).length, PUBLIC_VIEWS.length + 1);
  });
  it('.quit leaves', () => assert.equal(kashi(['shell'], { cwd: folder, input: '.quit\nselect 7;\n' }).stdout, ''));
});

it('the configuration is untouched by all of this', () =>
  assert.equal(readFileSync(join(folder, 'kashi.yaml'), 'utf8'), 'tenants: {unmapped: as_is}\n'));
