/** The tables of closed bills: the columns that the exporter writes, with the words of sql/bills. */
import type { CfnTable } from 'aws-cdk-lib/aws-glue';
import { readSqlFiles } from '../../functions/adapters/sql-files.ts';
import type { ClosedBill } from '../../functions/close/bill-object.ts';
import { closedTables } from '../../functions/close/closed-tables.ts';
import { parseModel } from '../../functions/warehouse/model.ts';
import { comment, type GlueColumn, hiveType, PARQUET } from './glue-format.ts';

interface BillTable {
  readonly name: string;
  readonly description: string;
  readonly columns: readonly GlueColumn[];
}

/** The partition; it is also inside each file, and a column may not be both. */
const PARTITION = 'period';
/** Months that a query may name: partitions are computed, nobody has to add them. */
const MONTHS = '2024-01,NOW+1MONTHS';

/** What a correction says besides; the model of a line does not have it. */
const CORRECTION: Readonly<Record<string, string>> = {
  corrects_line_id: 'line of the closed bill that this one corrects; null in a line of its own',
  corrects_kind: 'kind of the corrected line',
  corrects_bill: 'SHA-256 of the closed bill that is corrected',
  charge_period: 'month of the corrected bill, yyyy-mm',
  cause: 'late, rerate, reparse, duplicate_conflict or capacity_fix',
  part: 'step of a correction that has more than one',
};

const NO_BILL = { period: '', currency: '', bills: [], unrated: [] } as unknown as ClosedBill;

/** bill, bill_line and bill_unrated below `root`, which ends with '/'. Errors: throws for a column that nobody explains. */
export function billTables(root: string): readonly CfnTable.TableInputProperty[] {
  return explained().map(({ name, description, columns }) => {
    const location = `${root}${name}/`;
    return {
      name,
      description,
      tableType: 'EXTERNAL_TABLE',
      partitionKeys: [{ name: PARTITION, type: 'string', comment: 'yyyy-mm' }],
      parameters: {
        EXTERNAL: 'TRUE',
        classification: 'parquet',
        'projection.enabled': 'true',
        [`projection.${PARTITION}.type`]: 'date',
        [`projection.${PARTITION}.format`]: 'yyyy-MM',
        [`projection.${PARTITION}.range`]: MONTHS,
        [`projection.${PARTITION}.interval`]: '1',
        [`projection.${PARTITION}.interval.unit`]: 'MONTHS',
        'storage.location.template': `${location}${PARTITION}=\${${PARTITION}}/`,
      },
      storageDescriptor: { columns: [...columns], location, ...PARQUET },
    };
  });
}

function explained(): readonly BillTable[] {
  const models = new Map(readSqlFiles().map((file) => [file.path.replace(/^.*\/|\.sql$/g, ''), parseModel(file)]));
  return Object.entries(closedTables(NO_BILL, null)).map(([name, { columns }]) => {
    const model = models.get(name);
    if (model === undefined) throw new Error(`sql/bills has no ${name}`);
    const meaning = (column: string): string => {
      const found = model.columns.find((one) => one.name === column);
      const text = found === undefined ? CORRECTION[column] : `${found.meaning}${found.unit === null ? '' : ` [${found.unit}]`}`;
      if (text === undefined) throw new Error(`nobody says what ${name}.${column} is`);
      return comment(text);
    };
    const own = columns.filter((column) => column.name !== PARTITION);
    return {
      name,
      description: `${model.description} One row: ${model.grain}.`,
      columns: own.map((column) => ({ name: column.name, type: hiveType(column.type), comment: meaning(column.name) })),
    };
  });
}
