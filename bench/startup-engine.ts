/** The engine, loaded and asked one thing: what a command that needs it cannot go below. */
import { DuckDBInstance } from '@duckdb/node-api';

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.runAndReadAll('select 1');
connection.closeSync();
instance.closeSync();
