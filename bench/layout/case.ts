/** `bench layout`: one month's rows in several Parquet layouts: bytes stored, bytes that a tenant's month and a day scan, and DuckDB's time for the whole. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { Command } from 'commander';
import { mergedOrder } from '../../functions/adapters/parquet-merge.ts';
import { DATASETS } from '../../functions/datasets.ts';
import { billData } from '../bill/data.ts';
import { START_MS, shapeOf } from '../bill/month.ts';
import { sqlText } from '../ingest/peer-sql.ts';
import { sayer } from '../progress.ts';
import { machineLine, recordSection } from '../record.ts';
import { tableText } from '../table.ts';
import { scannedBytes } from './scanned.ts';

interface Options {
  readonly rows: number;
  readonly cache: string;
  readonly record?: boolean;
}

interface Layout {
  readonly name: string;
  readonly order: readonly string[];
  readonly groupRows: number;
  readonly options: string;
}

const DAY_MS = 86_400_000;
const TIME = ['event_at_ms', 'object_id', 'line'];
const PAYER = mergedOrder(DATASETS.token_usage);
const ZSTD = (level: number): string => `compression zstd, compression_level ${level}`;

const LAYOUTS: readonly Layout[] = [
  { name: 'by time', order: TIME, groupRows: 122_880, options: ZSTD(3) },
  ...[30_720, 61_440, 122_880, 491_520].map((groupRows) => ({ name: 'by payer, time', order: PAYER, groupRows, options: ZSTD(3) })),
  { name: 'by payer, time', order: PAYER, groupRows: 122_880, options: ZSTD(1) },
  { name: 'by payer, time', order: PAYER, groupRows: 122_880, options: ZSTD(9) },
  { name: 'by payer, time', order: PAYER, groupRows: 122_880, options: 'compression snappy' },
  { name: 'by payer, time', order: PAYER, groupRows: 122_880, options: `${ZSTD(3)}, parquet_version v2` },
  { name: 'by payer, time', order: PAYER, groupRows: 122_880, options: `${ZSTD(3)}, write_bloom_filter false` },
];

/** What a bill of one tenant's keys reads. */
const COLUMNS = [
  'event_at_ms',
  'tenant_key',
  'site_id',
  'model',
  'status',
  'input_uncached_tokens',
  'input_cache_read_tokens',
  'input_cache_write_tokens',
  'output_tokens',
];
/** Neither the busiest nor the quietest. */
const TEAM = 'team-100';

export function layoutCase(positive: (text: string) => number): Command {
  return new Command('layout')
    .description('requests in several Parquet layouts: bytes stored, bytes scanned, time')
    .option('--rows <n>', 'requests', positive, 10_000_000)
    .option('--cache <dir>', 'folder for generated data and working files', join(tmpdir(), 'kashi-bench'))
    .option('--record', 'write the results into bench/README.md')
    .addHelpText('after', '\nExamples:\n  npm run bench layout\n  npm run bench -- layout --rows 1000000')
    .action(run);
}

async function run({ rows, cache, record }: Options): Promise<void> {
  const say = sayer(Date.now);
  mkdirSync(cache, { recursive: true });
  const data = await billData(cache, shapeOf({ rows, samples: 0, allocations: 0 }), say);
  const work = mkdtempSync(join(cache, 'work-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '4GB' });
  const connection = await instance.connect();
  await connection.run(`set temp_directory = ${sqlText(join(work, 'spill'))}`);
  const body: string[][] = [];
  try {
    const source = join(data.folder, 'warehouse', 'data', 'token_usage', '*', '*.parquet');
    await connection.run(`create view requests as select * from read_parquet(${sqlText(source)}, hive_partitioning = false)`);
    body.push(
      await measured(connection, 'as ingested', '122,880', 'zstd 1', filesOf(join(data.folder, 'warehouse', 'data', 'token_usage'))),
    );
    for (const layout of LAYOUTS) {
      say(`${layout.name}, ${layout.groupRows}, ${layout.options}`);
      const file = join(work, 'layout.parquet');
      await connection.run(
        `copy (select * from requests order by ${layout.order.join(', ')}) to ${sqlText(file)} (format parquet, row_group_size ${layout.groupRows}, ${layout.options})`,
      );
      const words = layout.options.replace('compression zstd, compression_level', 'zstd').replace('compression ', '').replaceAll('_', ' ');
      body.push(await measured(connection, layout.name, layout.groupRows.toLocaleString('en-US'), words, [file]));
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(work, { recursive: true, force: true });
  }
  const header = [
    'order',
    'rows a group',
    'compression',
    'MB',
    'bytes a row',
    "tenant's month scans",
    'of the bytes',
    'a day scans',
    'all rows, CPU s',
  ];
  const lines = [`${machineLine()} ${rows.toLocaleString('en-US')} requests in one file.`, '', ...tableText(header, body, 3)];
  process.stdout.write(`\n${lines.join('\n')}\n`);
  if (record === true) recordSection(fileURLToPath(new URL('../README.md', import.meta.url)), 'layout', lines);
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.parquet'))
    .map((name) => join(folder, name));
}

async function measured(
  connection: DuckDBConnection,
  order: string,
  groupRows: string,
  options: string,
  files: string[],
): Promise<string[]> {
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  const tenant = await scannedBytes(connection, files, COLUMNS, [{ column: 'tenant_key', from: TEAM, to: TEAM }]);
  const day = [{ column: 'event_at_ms', from: START_MS + 9 * DAY_MS, to: START_MS + 10 * DAY_MS - 1 }];
  const ofDay = await scannedBytes(connection, files, COLUMNS, day);
  const list = files.map(sqlText).join(', ');
  const count = await connection.runAndReadAll(`select count(*) from read_parquet([${list}])`);
  const before = process.cpuUsage();
  await connection.run(
    `select tenant_key, model, status, sum(input_uncached_tokens), sum(input_cache_read_tokens), sum(input_cache_write_tokens), sum(output_tokens), max(native_id)
     from read_parquet([${list}]) group by all`,
  );
  const { user, system } = process.cpuUsage(before);
  const mb = (n: number): string => (n / 1e6).toFixed(1);
  const share = `${((100 * tenant) / bytes).toFixed(2)} %`;
  return [
    order,
    groupRows,
    options,
    mb(bytes),
    (bytes / Number(count.getRows()[0]?.[0])).toFixed(1),
    `${mb(tenant)} MB`,
    share,
    `${mb(ofDay)} MB`,
    ((user + system) / 1e6).toFixed(1),
  ];
}
