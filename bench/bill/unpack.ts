/** node unpack.ts <data folder>: the columns that a bill needs, decoded by bare DuckDB with two threads and counted. */
import { DuckDBInstance } from '@duckdb/node-api';
import { sqlText } from '../ingest/peer-sql.ts';

const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  token_usage: [
    'native_id',
    'object_id',
    'line',
    'event_at_ms',
    'tenant_key',
    'site_id',
    'model',
    'status',
    'input_uncached_tokens',
    'input_cache_read_tokens',
    'input_cache_write_tokens',
    'output_tokens',
  ],
  gpu_sample: ['sampled_at_ms', 'site_id', 'node', 'device_id', 'tensor_active', 'sm_clock_mhz', 'namespace', 'pod'],
};

const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
const connection = await instance.connect();
for (const [dataset, columns] of Object.entries(COLUMNS))
  await connection.run(
    `select ${columns.map((name) => `count(${name})`).join(', ')}, ${columns.map((name) => `max(${name})`).join(', ')}
     from read_parquet(${sqlText(`${process.argv[2]}/${dataset}/*/*.parquet`)})`,
  );
connection.closeSync();
instance.closeSync();
