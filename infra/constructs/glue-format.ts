/** How Glue says what a table is. */
import type { CfnTable } from 'aws-cdk-lib/aws-glue';

export { hiveType } from '../../functions/adapters/warehouse-athena.ts';

export interface GlueColumn {
  readonly name: string;
  /** Hive's word for it. */
  readonly type: string;
  readonly comment: string;
}

/** Glue keeps so many characters of a column's comment, and of a table's description. */
const LONGEST_COMMENT = 255;
const LONGEST_DESCRIPTION = 2048;

export function comment(text: string): string {
  return text.slice(0, LONGEST_COMMENT);
}

export function description(text: string): string {
  return text.slice(0, LONGEST_DESCRIPTION);
}

type Format = Pick<CfnTable.StorageDescriptorProperty, 'inputFormat' | 'outputFormat' | 'serdeInfo'>;

/** A folder of Parquet files. */
export const PARQUET: Format = {
  inputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
  outputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
  serdeInfo: { serializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
};
