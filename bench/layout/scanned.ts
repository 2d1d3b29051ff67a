/** Bytes that a reader which skips row groups by their least and greatest values has to read: what Trino reads and Athena charges. */
import type { DuckDBConnection } from '@duckdb/node-api';
import { sqlText } from '../ingest/peer-sql.ts';

/** Inclusive. */
export interface Range {
  readonly column: string;
  readonly from: string | number;
  readonly to: string | number;
}

/** Compressed bytes of `columns` in the row groups that may hold rows of all ranges, from the files' own footers. */
export async function scannedBytes(
  connection: DuckDBConnection,
  files: readonly string[],
  columns: readonly string[],
  ranges: readonly Range[],
): Promise<number> {
  const value = (bound: string | number): string => (typeof bound === 'number' ? String(bound) : sqlText(bound));
  const read = ({ column, from, to }: Range): string => {
    const type = typeof from === 'number' ? 'bigint' : 'varchar';
    return `(path_in_schema = ${sqlText(column)} and (try_cast(stats_max_value as ${type}) < ${value(from)} or try_cast(stats_min_value as ${type}) > ${value(to)}))`;
  };
  const metadata = `parquet_metadata([${files.map(sqlText).join(', ')}])`;
  const skipped =
    ranges.length === 0
      ? 'select null, null where false'
      : `select file_name, row_group_id from ${metadata} where ${ranges.map(read).join(' or ')}`;
  const found = await connection.runAndReadAll(
    `select coalesce(sum(total_compressed_size), 0) from ${metadata}
     where path_in_schema in (${columns.map(sqlText).join(', ')}) and (file_name, row_group_id) not in (${skipped})`,
  );
  return Number(found.getRows()[0]?.[0]);
}
