/** `kashi query "<sql>"`: read-only SQL on the views that analysts have everywhere. */
import { Command, Option } from 'commander';
import { DATASETS } from '../datasets.ts';
import { KashiError } from '../domain/errors.ts';
import type { QueryResult } from '../ports.ts';
import { defineModels, PUBLIC_VIEWS } from '../warehouse/run.ts';
import { type CommonOptions, ENGINES, withCentreOptions } from './centre-options.ts';
import { issuedModels } from './closing.ts';
import { printJson, tableLines } from './output.ts';
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
        new Option('--format <format>', 'output format; parquet wants --output, arrow (an IPC stream) --output or a pipe')
          .choices([...FORMATS])
          .default('table'),
      )
      .option('--output <file>', 'write to a file instead of the terminal')
      .option('--period <yyyy-mm>', 'rate only this period (default: every period in the data)'),
    ENGINES,
  )
    .addHelpText(
      'after',
      `\nViews: ${PUBLIC_VIEWS.join(', ')}, quarantine, raw_object.\nExamples:\n  kashi query "select tenant_id, sum(output_tokens) from fct_token_usage group by tenant_id"\n  kashi query "select * from bill where period = '2026-10'" --format csv`,
    )
    .action(async (sql: string, options: QueryOptions) => {
      const { output = null, period = null } = options;
      const format = formatOf(options);
      if (format === 'parquet' && output === null)
        throw new KashiError('usage', 'Parquet is not for a terminal', {
          where: '--format parquet',
          allowed: 'together with --output <file>',
          found: 'no --output',
        });
      await withSession(openCentre(options), period, async (session) => {
        await prepare(session, sql);
        await answer(session, sql, format, output);
      });
      if (output !== null && options.json === true) printJson({ file: output, format });
    });
}

/** `--json` alone asks for JSON on standard output; with `--output` it is about what is printed, and the file keeps its format. */
function formatOf({ json, format, output }: QueryOptions): Format {
  return json === true && (output === undefined || format === 'table') ? 'json' : format;
}

/** Defines what the statement names: analysts write the views, the session computes no more than needed. */
export async function prepare(session: Session, sql: string): Promise<void> {
  const isEmbedded = session.centre.engine === 'duckdb';
  if (/\bquarantine\b/i.test(sql) && !isEmbedded)
    // Its files lie below _quarantine/, and tables of Hive pass over names that begin with an underscore: there it would be empty.
    throw new KashiError('sql_refused', 'only the embedded engine reads the quarantine', {
      where: `--engine ${session.centre.engine}`,
      allowed: '--engine duckdb',
    });
  const named = session.models.filter(({ name }) => new RegExp(`\\b${name}\\b`, 'i').test(sql)).map(({ name }) => name);
  const listing = /^\s*(show|describe)\b|\bduckdb_(views|tables|columns)\b|\binformation_schema\b/i.test(sql) && named.length === 0;
  const wanted: readonly string[] = listing ? PUBLIC_VIEWS : named;
  await defineModels(session.warehouse, await issuedModels(session.centre, session.models), wanted);
  for (const model of session.models)
    if (wanted.includes(model.name)) await session.warehouse.comment?.(model.name, model.description, meanings(model));
  if (isEmbedded && (listing || /\bquarantine\b/i.test(sql))) {
    await session.warehouse.define('quarantine', 'select * from raw_quarantine', 'view');
    await session.warehouse.comment?.('quarantine', DATASETS.quarantine.grain, {
      ...meanings(DATASETS.quarantine),
      fold_order: 'place of its file in the history of the warehouse',
    });
  }
}

/** Column → what it means, its unit first. */
function meanings({
  columns,
}: {
  readonly columns: readonly { name: string; unit?: string | null; meaning: string }[];
}): Record<string, string> {
  return Object.fromEntries(columns.map(({ name, unit, meaning }) => [name, unit == null ? meaning : `[${unit}] ${meaning}`]));
}

/** Errors: KashiError sql_refused for anything but one reading statement, and for one that fails while it runs. */
async function answer({ warehouse }: Session, sql: string, format: Format, output: string | null): Promise<void> {
  if (format === 'parquet') {
    copyOutputFile(await run(() => warehouse.parquetFile(sql)), output ?? '');
    return;
  }
  const content = await rendered(await run(() => warehouse.query(sql)), format);
  if (output !== null) writeOutputFile(output, content);
  else process.stdout.write(content);
}

/** Runs a statement that a person wrote: what the engine says against it is theirs to mend, not a defect of kashi. */
export async function run<T>(statement: () => Promise<T>): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    if (error instanceof KashiError) throw error;
    const [found = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new KashiError(
      'sql_refused',
      'the statement failed',
      { allowed: 'a statement that runs; DESCRIBE <view> shows columns and types', found },
      { cause: error },
    );
  }
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
