/** `kashi export <yyyy-mm>`: the bill as files. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { BillDocument } from '../billing/bill-document.ts';
import { closedTables, tableSql } from '../close/closed-tables.ts';
import { readRules } from '../close/rules.ts';
import { LANGUAGES, type Language, languageOfLocale } from '../domain/wording.ts';
import { FOCUS_VERSIONS, type FocusVersion } from '../statements/focus.ts';
import type { StatementSource } from '../statements/statement.ts';
import { billExitCode, rate } from './bill.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { writeFocus } from './export-focus.ts';
import { requireTenant, STATEMENT_FORMATS, type StatementFormat, writeStatements } from './export-statements.ts';
import { printJson, printLines, terminalLocale } from './output.ts';
import { type ClosedMonth, proofFiles, readClosed, VERIFIER } from './proof.ts';
import { csvText } from './query-format.ts';
import { type Session, withSession } from './session.ts';
import { closedSource, provisionalSource } from './statement-source.ts';
import { type Centre, copyOutputFile, openCentre, openEngineAt, writeOutputFile } from './wiring.ts';

type Format = (typeof FORMATS)[number];
const FORMATS = ['csv', 'xlsx', 'pdf', 'html', 'parquet', 'focus'] as const;
/** Formats in which the tables of the bill are written; the others are for people, or for FinOps tools. */
const TABLE_FORMATS = ['csv', 'parquet'] as const;
type TableFormat = (typeof TABLE_FORMATS)[number];

interface ExportOptions extends CommonOptions {
  readonly format: Format;
  readonly output?: string;
  readonly tenant?: string;
  readonly lang?: Language;
  readonly focusVersion: FocusVersion;
}

/** One table of the bill: file name stem and the rows. Text columns are data, so no name can break out of the statement. */
const TABLES = [
  ['bill', 'select * from bill where period = PERIOD order by tenant_id'],
  ['bill_line', 'select * from bill_line where period = PERIOD order by tenant_id, kind, site_id, sku, workload_id, line_id'],
  ['bill_unrated', 'select * from bill_unrated where period = PERIOD order by reason, line_id'],
] as const;

export function exportCommand(): Command {
  return withCentreOptions(
    new Command('export')
      .description('write the bill of a month as files: statements for people, tables, FOCUS for FinOps tools')
      .argument('<yyyy-mm>', 'billing period')
      .addOption(
        new Option(
          '--format <format>',
          'csv: tables and statements; xlsx, pdf, html: statements; parquet: tables; focus: FOCUS as Parquet and CSV',
        )
          .choices([...FORMATS])
          .default('csv'),
      )
      .addOption(
        new Option('--lang <language>', 'language of statements (default: language in kashi.yaml, else that of the terminal)').choices([
          ...LANGUAGES,
        ]),
      )
      .addOption(new Option('--focus-version <version>', 'version of FOCUS').choices([...FOCUS_VERSIONS]).default('1.2'))
      .option('--output <dir>', 'folder (default: ./bills/<yyyy-mm>)')
      .option('--tenant <id>', 'only this tenant: no other tenant’s line, name or amount is in the files'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi export 2026-10 --format pdf --lang zh-CN\n  kashi export 2026-10 --format xlsx --tenant ads\n  kashi export 2026-10 --format focus --output out/\n\nA month that is not closed gives estimates: files named estimate-…, marked on every page and in every row.\nThe same bill gives the same bytes in every format.',
    )
    .action(async (period: string, options: ExportOptions) => {
      const centre = openCentre(options);
      const closed = await readClosed(centre, period);
      const files: BillFiles = {
        format: options.format,
        directory: options.output ?? join('bills', period),
        tenant: options.tenant ?? null,
        language: languageOf(centre, options.lang),
        focusVersion: options.focusVersion,
      };
      if (closed !== null) {
        await exportClosed(centre, closed, files, options.json === true);
        return;
      }
      await withSession(centre, period, async (session) => {
        const { document, checks } = await rate(session, period, files.tenant);
        const written = await writeProvisionalFiles(session, document, files);
        if (options.json === true)
          printJson({ period, format: files.format, state: document.state, total: document.total, files: written });
        else
          printLines([
            `Provisional bill ${period}: ${document.total} ${document.currency} (an estimate, not a bill)`,
            ...written.map((file) => `  ${file}`),
          ]);
        process.exitCode = billExitCode(session, document, checks);
      });
    });
}

/** As `kashi explain` chooses it: asked for, configured, or the terminal's. */
export function languageOf(centre: Centre, asked: Language | undefined): Language {
  return asked ?? centre.config.language ?? languageOfLocale(terminalLocale());
}

/** The bill as it was issued, and, with its tables, what proves it: record, chain, evidence, public key and a verifier that needs nothing but Node. */
async function exportClosed(centre: Centre, closed: ClosedMonth, files: BillFiles, json: boolean): Promise<void> {
  const { period } = closed.signed.value;
  const written = await writeClosedFiles(centre, closed, files);
  const { total, currency } = closed.bill;
  const verifier = written.find((file) => file.endsWith(VERIFIER));
  if (json) printJson({ period, format: files.format, state: 'closed', total, sha256: closed.signed.value.bill, files: written });
  else
    printLines([
      `Closed bill ${period}: ${total} ${currency}, SHA-256 ${closed.signed.value.bill}`,
      ...written.map((file) => `  ${file}`),
      ...(verifier === undefined ? [] : ['', `Anyone can check it: node ${verifier} --public-key <the key you were given>`]),
    ]);
}

/** Writes a closed month in one format. Returns the paths. */
export async function writeClosedFiles(centre: Centre, closed: ClosedMonth, files: BillFiles): Promise<string[]> {
  const { format } = files;
  const source = await closedSource(centre, closed);
  requireTenant(source, files.tenant);
  if (format === 'focus') return await closedFocus(centre, closed, source, files);
  const statements = isStatementFormat(format) ? await writeStatements(source, { ...files, format }) : [];
  return isTableFormat(format) ? [...(await writeClosedTables(centre, closed, { ...files, format })), ...statements] : statements;
}

async function closedFocus(
  centre: Centre,
  { bill }: ClosedMonth,
  source: StatementSource,
  { focusVersion, directory, tenant }: BillFiles,
): Promise<string[]> {
  const { rates } = await readRules(centre.store, bill.rules.rates, bill.rules.sql);
  const engine = await openEngineAt(centre, []);
  try {
    await engine.loadReference(rates.reference);
    return await writeFocus(engine, source, { version: focusVersion, directory, tenant });
  } finally {
    await engine.close();
  }
}

/** Writes a month that is not closed in one format, as estimates. Returns the paths. */
export async function writeProvisionalFiles(session: Session, document: BillDocument, files: BillFiles): Promise<string[]> {
  const { format, tenant, directory, focusVersion } = files;
  const source = await provisionalSource(session, document);
  requireTenant(source, tenant);
  if (format === 'focus') return await writeFocus(session.warehouse, source, { version: focusVersion, directory, tenant });
  const statements = isStatementFormat(format) ? await writeStatements(source, { ...files, format }) : [];
  return isTableFormat(format) ? [...(await writeBillFiles(session, document.period, { ...files, format })), ...statements] : statements;
}

function isStatementFormat(format: Format): format is StatementFormat {
  return (STATEMENT_FORMATS as readonly string[]).includes(format);
}

function isTableFormat(format: Format): format is TableFormat {
  return (TABLE_FORMATS as readonly string[]).includes(format);
}

/** Writes the tables, and, unless they are one tenant's only, the proof. Returns the paths. */
async function writeClosedTables(centre: Centre, closed: ClosedMonth, { format, directory, tenant }: TableFiles): Promise<string[]> {
  const files: string[] = [];
  const tables = Object.entries(closedTables(closed.bill, tenant));
  const engine = format === 'parquet' ? await openEngineAt(centre, []) : null;
  try {
    for (const [name, table] of tables) {
      const file = join(directory, `${name}.${format}`);
      if (engine === null) writeOutputFile(file, csvText(table));
      else copyOutputFile(await engine.parquetFile(tableSql(table)), file);
      files.push(file);
    }
  } finally {
    await engine?.close();
  }
  if (tenant !== null) return files;
  for (const [name, bytes] of Object.entries(await proofFiles(centre, closed))) {
    writeOutputFile(join(directory, name), bytes);
    files.push(join(directory, name));
  }
  return files;
}

interface BillFiles {
  readonly format: Format;
  readonly directory: string;
  readonly tenant: string | null;
  readonly language: Language;
  readonly focusVersion: FocusVersion;
}

type TableFiles = Pick<BillFiles, 'directory' | 'tenant'> & { readonly format: TableFormat };

/** Writes the tables of a rated period; returns the paths. The models must be defined. */
async function writeBillFiles(
  { warehouse }: Pick<Session, 'warehouse'>,
  period: string,
  { format, directory, tenant }: TableFiles,
): Promise<string[]> {
  const files: string[] = [];
  for (const [name, select] of TABLES) {
    const sql = tenantOnly(select.replace('PERIOD', sqlText(period)), tenant);
    const file = join(directory, `${name}.${format}`);
    if (format === 'parquet') copyOutputFile(await warehouse.parquetFile(sql), file);
    else writeOutputFile(file, csvText(await warehouse.query(sql)));
    files.push(file);
  }
  return files;
}

function tenantOnly(select: string, tenant: string | null): string {
  return tenant === null ? select : select.replace(' order by', ` and tenant_id = ${sqlText(tenant)} order by`);
}

/** A SQL text literal; the statement is checked to be one SELECT afterwards all the same. */
function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
