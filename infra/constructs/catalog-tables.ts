/**
 * The tables and views of the warehouse's database: stored datasets through their manifests, reference rows, and what of sql/ is shown to other
 * engines. Columns and their words are those of datasets.ts, the reference tables and the headers of sql/; nothing is said twice.
 */
import type { CfnTable } from 'aws-cdk-lib/aws-glue';
import { readSqlFiles } from '../../functions/adapters/sql-files.ts';
import { trinoWords } from '../../functions/adapters/trino-words.ts';
import { SYMLINK_FORMAT } from '../../functions/adapters/warehouse-athena.ts';
import { rawSelect } from '../../functions/adapters/warehouse-remote.ts';
import { emptyFolder } from '../../functions/cloud/published.ts';
import { DATASETS, type DatasetName, FOLD_ORDER, SNAPSHOT_TABLES } from '../../functions/datasets.ts';
import { REFERENCE } from '../../functions/domain/reference.ts';
import type { Model } from '../../functions/warehouse/model.ts';
import { catalogModels, loadModels } from '../../functions/warehouse/run.ts';
import { comment, description, hiveType, PARQUET } from './glue-format.ts';

/** Name of the catalog that every account has, as its engines call it. */
const CATALOG = 'awsdatacatalog';

/** What a table, a dataset or a model says of a column. */
interface Said {
  readonly name: string;
  readonly type: string;
  readonly meaning: string;
  readonly unit?: string | null;
}

/** `root`: address of the warehouse, ending with '/'. Tables read an empty folder until the first snapshot is published. */
export function catalogTables(database: string, root: string): readonly CfnTable.TableInputProperty[] {
  const { views, tables } = catalogModels(loadModels(readSqlFiles()));
  const names = Object.keys(DATASETS) as DatasetName[];
  const table = (name: string, grain: string, columns: readonly Said[], format: TableFormat = PARQUET): CfnTable.TableInputProperty =>
    tableInput(root, name, `One row: ${grain}.`, columns, format);
  return [
    ...names.map((name) => table(`stored_${name}`, `${DATASETS[name].grain} (files of the snapshot)`, DATASETS[name].columns, SYMLINK)),
    ...Object.values(SNAPSHOT_TABLES).map(({ name, grain, columns }) => table(name, grain, columns)),
    ...Object.values(REFERENCE).map(({ name, grain, columns }) => table(name, grain, columns)),
    ...tables.map((model) => tableInput(root, model.name, saidOf(model), model.columns, PARQUET)),
    ...names.map((name) =>
      viewInput(database, `raw_${name}`, `One row: ${DATASETS[name].grain}.`, [...DATASETS[name].columns, FOLD_ORDER], rawSelect(name)),
    ),
    viewInput(database, 'quarantine', `One row: ${DATASETS.quarantine.grain}.`, DATASETS.quarantine.columns, QUARANTINE),
    ...views.map((model) => viewInput(database, model.name, saidOf(model), model.columns, model.sql)),
  ];
}

const QUARANTINE = `select ${DATASETS.quarantine.columns.map(({ name }) => name).join(', ')} from raw_quarantine`;

type TableFormat = typeof PARQUET;

const SYMLINK: TableFormat = {
  inputFormat: SYMLINK_FORMAT.input,
  outputFormat: SYMLINK_FORMAT.output,
  serdeInfo: { serializationLibrary: SYMLINK_FORMAT.serde },
};

function saidOf({ description: what, grain, kind }: Model): string {
  const check = kind === null ? '' : ` A check (${kind}): rows that are ${kind === 'equation' ? 'wrong' : 'noteworthy'}.`;
  return `${what} One row: ${grain}.${check}`;
}

function tableInput(root: string, name: string, said: string, columns: readonly Said[], format: TableFormat): CfnTable.TableInputProperty {
  return {
    name,
    description: description(said),
    tableType: 'EXTERNAL_TABLE',
    partitionKeys: [],
    parameters: { EXTERNAL: 'TRUE', classification: 'parquet' },
    storageDescriptor: { columns: columns.map(glueColumn), location: `${root}${emptyFolder(name)}/`, ...format },
  };
}

/** A view as Athena and Trino keep it: the statement in JSON in base64 in a comment. */
function viewInput(database: string, name: string, said: string, columns: readonly Said[], sql: string): CfnTable.TableInputProperty {
  const definition = {
    originalSql: trinoWords(sql),
    catalog: CATALOG,
    schema: database,
    columns: columns.map((column) => ({ name: column.name, type: trinoType(column.type), comment: meaning(column) })),
    comment: said,
    // Nobody owns it: who asks needs the right to what it reads.
    runAsInvoker: true,
  };
  return {
    name,
    // No description: Trino takes it for the parameter `comment`, by which it knows its views, and finds none. What the view is stands in the definition.
    tableType: 'VIRTUAL_VIEW',
    partitionKeys: [],
    parameters: { presto_view: 'true', comment: 'Presto View' },
    storageDescriptor: { columns: columns.map(glueColumn), location: '', serdeInfo: {} },
    viewOriginalText: `/* Presto View: ${Buffer.from(JSON.stringify(definition)).toString('base64')} */`,
    viewExpandedText: '/* Presto View */',
  };
}

function glueColumn(column: Said): { name: string; type: string; comment: string } {
  return { name: column.name, type: hiveType(column.type), comment: comment(meaning(column)) };
}

function meaning({ meaning: text, unit }: Said): string {
  return unit === undefined || unit === null ? text : `${text} [${unit}]`;
}

/** Example: TIMESTAMP → timestamp(3). */
function trinoType(type: string): string {
  return type.toLowerCase().replace(/^timestamp$/, 'timestamp(3)');
}
