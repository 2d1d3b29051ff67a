/** The peer's process: node hand.ts <warehouse> <memory> <scratch>. Bare DuckDB, two threads, the answer as JSON. */
import { DuckDBInstance } from '@duckdb/node-api';
import { sqlText } from '../ingest/peer-sql.ts';
import { handSql } from './hand-sql.ts';

const [warehouse = '', memory = '2GB', scratch = ''] = process.argv.slice(2);
const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: memory });
const connection = await instance.connect();
await connection.run(`set temp_directory = ${sqlText(scratch)}`);
await connection.run('set preserve_insertion_order = false');
const { before, answer } = handSql(warehouse);
for (const statement of before) await connection.run(statement);
const reader = await connection.runAndReadAll(answer);
process.stdout.write(JSON.stringify(reader.getRowObjects()[0]));
connection.closeSync();
instance.closeSync();
