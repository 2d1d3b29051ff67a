/** The FOCUS export of a month: Parquet, and CSV with the same rows. */
import { join } from 'node:path';
import type { QueryResult, Warehouse } from '../ports.ts';
import { docLineSql, type FocusVersion, focusModel } from '../statements/focus.ts';
import type { StatementSource } from '../statements/statement.ts';
import { defineModels, loadModels } from '../warehouse/run.ts';
import { csvText } from './query-format.ts';
import { copyOutputFile, readExportFiles, writeOutputFile } from './wiring.ts';

interface FocusFiles {
  readonly version: FocusVersion;
  readonly directory: string;
  readonly tenant: string | null;
}

/** `warehouse` must hold the reference rows of the month. Returns the paths. An estimate is named one. */
export async function writeFocus(
  warehouse: Warehouse,
  source: StatementSource,
  { version, directory, tenant }: FocusFiles,
): Promise<string[]> {
  const model = focusModel(version);
  await warehouse.define('doc_line', docLineSql(source, tenant), 'table');
  await defineModels(warehouse, loadModels(readExportFiles()), [model]);
  const select = `select * from ${model} order by SubAccountId, x_LineId, ChargePeriodStart, PricingQuantity`;
  const stem = join(directory, `focus-${version}${source.closed === null ? '-estimate' : ''}`);
  copyOutputFile(await warehouse.parquetFile(select), `${stem}.parquet`);
  writeOutputFile(`${stem}.csv`, csvText(withIsoInstants(await warehouse.query(select))));
  return [`${stem}.parquet`, `${stem}.csv`];
}

/** FOCUS writes instants as 2026-09-30T16:00:00Z. */
function withIsoInstants({ columns, rows }: QueryResult): QueryResult {
  const instants = columns.map(({ type }) => type === 'TIMESTAMP');
  return {
    columns,
    rows: rows.map((row) =>
      row.map((cell, index) => (cell !== null && instants[index] === true ? `${cell.slice(0, 19).replace(' ', 'T')}Z` : cell)),
    ),
  };
}
