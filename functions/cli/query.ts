/** `kashi query "<sql>"`: read-only SQL on the views that analysts have everywhere. */
import { Command, Option } from 'commander';
import { KashiError } from '../domain/errors.ts';
import type { QueryResult } from '../ports.ts';
import { defineModels, PUBLIC_VIEWS } from '../warehouse/run.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { tableLines } from './output.ts';
import { csvText, jsonRows } from './query-format.ts';
import { type Session, withSession } from './session.ts';
import { arrowBytes, copyOutputFile, openCentre, writeOutputFile } from './wiring.ts';

const FORMATS = ['table', 'json', 'csv', 'parquet', 'arrow'] as const;
type Format = (typeof FORMATS)[number];

interface QueryOptions extends CommonOptions {
  readonly format: Format;
  readonly output?: string;
  readonly period?: string;
}

export function queryCommand(): Command {
  return withCentreOptions(
    new Command('query')
      .description('answer one SELECT on the facts and bills of the newest snapshot')
      .argument('<sql>', 'one SELECT, WITH … SELECT, DESCRIBE, SHOW or EXPLAIN')
      .addOption(
        new Option('--format <format>', 'output format; parquet and arrow (IPC stream) want --output or a pipe')
          .choices([...FORMATS])
          .default('table'),
      )
      .option('--output <file>', 'write to a file instead of the terminal')
      .option('--period <yyyy-mm>', 'rate only this period (default: every period in the data)'),
  )
    .addHelpText(
      'after',
      `\nViews: ${PUBLIC_VIEWS.join(', ')}, quarantine, raw_object.\nExamples:\n  kashi query "select tenant_id, sum(output_tokens) from fct_token_usage group by tenant_id"\n  kashi query "select * from bill where period = '2026-10'" --format csv`,
    )
    .action(async (sql: string, options: QueryOptions) => {
      const format: Format = options.json === true ? 'json' : options.format;
      await withSession(openCentre(options), options.period ?? null, async (session) => {
        await prepare(session, sql);
        await answer(session, sql, format, options.output ?? null);
      });
    });
}

/** Defines what the statement names: analysts write the views, the session computes no more than needed. */
export async function prepare(session: Session, sql: string): Promise<void> {
  const named = session.models.filter(({ name }) => new RegExp(`\\b${name}\\b`, 'i').test(sql)).map(({ name }) => name);
  const listing = /^\s*(show|describe)\b/i.test(sql) && named.length === 0;
  await defineModels(session.warehouse, session.models, listing ? PUBLIC_VIEWS : named);
  if (listing || /\bquarantine\b/i.test(sql)) await session.warehouse.define('quarantine', 'select * from raw_quarantine', 'view');
}

/** Errors: KashiError sql_refused for anything but one reading statement. */
async function answer({ warehouse }: Session, sql: string, format: Format, output: string | null): Promise<void> {
  if (format === 'parquet') {
    if (output === null)
      throw new KashiError('usage', 'Parquet is not for a terminal', { allowed: '--output <file>', found: 'no --output' });
    copyOutputFile(await warehouse.parquetFile(sql), output);
    return;
  }
  const result = await warehouse.query(sql);
  const content = await rendered(result, format);
  if (output !== null) writeOutputFile(output, content);
  else process.stdout.write(content);
}

async function rendered(result: QueryResult, format: Exclude<Format, 'parquet'>): Promise<string | Uint8Array> {
  if (format === 'arrow') return await arrowBytes(result);
  if (format === 'json') return `${JSON.stringify(jsonRows(result), null, 1)}\n`;
  return format === 'csv' ? csvText(result) : `${resultTable(result).join('\n')}\n`;
}

export function resultTable(result: QueryResult): string[] {
  const right = new Set(
    result.columns.flatMap(({ type }, index) => (/^(BIGINT|HUGEINT|INTEGER|DECIMAL|DOUBLE)/.test(type) ? [index] : [])),
  );
  const lines = tableLines(
    result.columns.map(({ name }) => name),
    result.rows.map((row) => row.map((cell) => cell ?? '∅')),
    right,
  );
  return [...lines, `${result.rows.length} row${result.rows.length === 1 ? '' : 's'}`];
}
