/** The peer's process: node peer.ts <litellm|dcgm> <out.parquet> <files…>. One COPY, two threads, nothing else. */
import { DuckDBInstance } from '@duckdb/node-api';
import { dcgmSelect, litellmSelect, sqlText } from './peer-sql.ts';

const [kind, out = '', ...files] = process.argv.slice(2);
const select = kind === 'litellm' ? litellmSelect(files) : dcgmSelect(files);
const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
const connection = await instance.connect();
// Nobody needs the order of rows, and with many files it would cost the peer memory.
await connection.run('set preserve_insertion_order = false');
await connection.run(`copy (${select}) to ${sqlText(out)} (format parquet, compression zstd)`);
connection.closeSync();
instance.closeSync();
