/** One statement on Amazon Athena: started, waited for, its pages read, its cost told. */
import { setTimeout as wait } from 'node:timers/promises';
import {
  AthenaClient,
  type AthenaClientConfig,
  type ColumnInfo,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  type GetQueryResultsOutput,
  type QueryExecution,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena';
import { KashiError } from '../domain/errors.ts';
import type { QueryResult, SqlValue } from '../ports.ts';
import { awsError } from './aws.ts';
import { literal } from './trino-words.ts';
import { cellText, typeName } from './warehouse-trino.ts';

export interface AthenaOptions {
  readonly workGroup: string;
  /** s3://… for answers; null: where the workgroup says. */
  readonly results: string | null;
  /**
   * Age up to which Athena may give an answer it gave before. It does not look whether the tables changed, so a session that redefines
   * tables (as every rating does) leaves it null.
   */
  readonly reuseMinutes: number | null;
  /** Told of each statement's bytes. */
  readonly onScanned?: (bytes: number) => void;
  readonly client?: AthenaClientConfig;
}

export interface Athena {
  run(sql: string, parameters?: readonly SqlValue[], database?: string): Promise<QueryResult>;
  close(): void;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

/** Errors of `run`: KashiError sql_refused for what Athena says against the statement, store_unsuitable for rights and limits, TransientStoreError. */
export function athena(options: AthenaOptions): Athena {
  const client = new AthenaClient({ maxAttempts: 6, ...options.client });
  return {
    async run(sql, parameters = [], database) {
      const where = `Athena workgroup ${options.workGroup}`;
      try {
        const id = await start(client, options, sql, parameters, database);
        const done = await ended(client, id);
        options.onScanned?.(done.Statistics?.DataScannedInBytes ?? 0);
        if (done.Status?.State !== 'SUCCEEDED') throw failed(done, where);
        return await results(client, id, done);
      } catch (error) {
        throw explained(error, where);
      }
    },
    close: () => client.destroy(),
  };
}

async function start(
  client: AthenaClient,
  options: AthenaOptions,
  sql: string,
  parameters: readonly SqlValue[],
  database: string | undefined,
): Promise<string> {
  const { workGroup, results: OutputLocation, reuseMinutes } = options;
  const { QueryExecutionId = '' } = await client.send(
    new StartQueryExecutionCommand({
      QueryString: sql,
      WorkGroup: workGroup,
      QueryExecutionContext: { Catalog: 'AwsDataCatalog', ...(database === undefined ? {} : { Database: database }) },
      // Values stand as SQL says them: a text in its quotes.
      ...(parameters.length === 0 ? {} : { ExecutionParameters: parameters.map(literal) }),
      ...(OutputLocation === null ? {} : { ResultConfiguration: { OutputLocation } }),
      ...(reuseMinutes === null
        ? {}
        : { ResultReuseConfiguration: { ResultReuseByAgeConfiguration: { Enabled: true, MaxAgeInMinutes: reuseMinutes } } }),
    }),
  );
  return QueryExecutionId;
}

async function ended(client: AthenaClient, id: string): Promise<QueryExecution> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5)) {
    const { QueryExecution: now } = await client.send(new GetQueryExecutionCommand({ QueryExecutionId: id }));
    if (now !== undefined && ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(now.Status?.State ?? '')) return now;
    await wait(pauseMs);
  }
}

async function results(client: AthenaClient, id: string, { StatementType }: QueryExecution): Promise<QueryResult> {
  let columns: QueryResult['columns'] = [];
  const rows: (string | null)[][] = [];
  let token: string | undefined;
  do {
    const more = token === undefined ? {} : { NextToken: token };
    const page: GetQueryResultsOutput = await client.send(new GetQueryResultsCommand({ QueryExecutionId: id, ...more }));
    if (token === undefined) columns = (page.ResultSet?.ResultSetMetadata?.ColumnInfo ?? []).map(columnOf);
    const all = page.ResultSet?.Rows ?? [];
    // The first page of a query begins with the names of its columns.
    const own = token === undefined && StatementType === 'DML' ? all.slice(1) : all;
    for (const { Data = [] } of own) rows.push(columns.map(({ type }, index) => cellText(Data[index]?.VarCharValue, type)));
    token = page.NextToken;
  } while (token !== undefined);
  return { columns, rows };
}

function columnOf({ Name = '', Type = '', Precision = 0, Scale = 0 }: ColumnInfo): QueryResult['columns'][number] {
  return { name: Name, type: Type === 'decimal' ? `DECIMAL(${Precision},${Scale})` : typeName(Type) };
}

/** What an operator mends rather than the author of the statement. */
const NOT_THE_SQL = /access ?denied|not authorized|insufficient permissions|bytes scanned limit|exceeded .*limit|no output location/i;

function failed({ Status }: QueryExecution, where: string): KashiError {
  const found = Status?.StateChangeReason ?? `${Status?.State}`;
  if (NOT_THE_SQL.test(found)) {
    const hint =
      'the workgroup has its limit of bytes and its place for answers; the role needs Glue, and S3 on warehouse and answers: docs/engines.md';
    return new KashiError('store_unsuitable', 'Athena may not run the statement', { where, found, hint });
  }
  return new KashiError('sql_refused', 'the statement does not run', {
    allowed: 'views and columns that exist (show tables; describe <view>)',
    found,
  });
}

function explained(error: unknown, where: string): unknown {
  if (error instanceof KashiError) return error;
  if (error instanceof Error && error.name === 'InvalidRequestException') {
    if (/workgroup|output location/i.test(error.message)) {
      const hint = 'KASHI_ATHENA_WORKGROUP names the workgroup, KASHI_ATHENA_RESULTS where answers go when it has no place for them';
      return new KashiError(
        'store_unsuitable',
        'the Athena workgroup cannot be used',
        { where, found: error.message, hint },
        { cause: error },
      );
    }
    return new KashiError('sql_refused', 'the statement does not run', { found: error.message }, { cause: error });
  }
  return awsError(error, where);
}

/** What Amazon charges a terabyte scanned, and the least that a statement counts for. */
const BYTES_A_DOLLAR = 1e12 / 5;
const LEAST_BYTES = 10 * 1024 ** 2;

/** Counts statements that read data, as Athena bills them: whole statements of at least 10 MB; DDL is free. */
export function scanMeter(): { readonly add: (bytes: number) => void; readonly text: () => string } {
  let [statements, bytes, charged] = [0, 0, 0];
  return {
    add(one) {
      if (one === 0) return;
      statements += 1;
      bytes += one;
      charged += Math.max(one, LEAST_BYTES);
    },
    text: () =>
      `${bytes.toLocaleString('en')} bytes scanned by ${statements} statements, about ${(charged / BYTES_A_DOLLAR).toFixed(4)} USD at 5 USD per TB (10 MB at least a statement)`,
  };
}
