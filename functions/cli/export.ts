/** `kashi export <yyyy-mm>`: the bill as files. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { closedTables, tableSql } from '../close/closed-tables.ts';
import { billExitCode, rate } from './bill.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { printJson, printLines } from './output.ts';
import { type ClosedMonth, proofFiles, readClosed, VERIFIER } from './proof.ts';
import { csvText } from './query-format.ts';
import { type Session, withSession } from './session.ts';
import { type Centre, copyOutputFile, openCentre, openEngineAt, writeOutputFile } from './wiring.ts';

const FORMATS = ['csv', 'parquet'] as const;

interface ExportOptions extends CommonOptions {
  readonly format: (typeof FORMATS)[number];
  readonly output?: string;
  readonly tenant?: string;
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
      .description('write the bill of a month as files: bill, bill_line, bill_unrated')
      .argument('<yyyy-mm>', 'billing period')
      .addOption(new Option('--format <format>', 'file format').choices([...FORMATS]).default('csv'))
      .option('--output <dir>', 'folder (default: ./bills/<yyyy-mm>)')
      .option('--tenant <id>', 'only this tenant'),
  )
    .addHelpText('after', '\nExamples:\n  kashi export 2026-10 --format csv\n  kashi export 2026-10 --format parquet --output out/')
    .action(async (period: string, options: ExportOptions) => {
      const centre = openCentre(options);
      const closed = await readClosed(centre, period);
      if (closed !== null) {
        await exportClosed(centre, closed, options);
        return;
      }
      await withSession(centre, period, async (session) => {
        const { document, checks } = await rate(session, period, options.tenant ?? null);
        const files = await writeBillFiles(session, period, {
          format: options.format,
          directory: options.output ?? join('bills', period),
          tenant: options.tenant ?? null,
        });
        if (options.json === true) printJson({ period, format: options.format, state: document.state, total: document.total, files });
        else printLines([`Provisional bill ${period}: ${document.total} ${document.currency}`, ...files.map((file) => `  ${file}`)]);
        process.exitCode = billExitCode(session, document, checks);
      });
    });
}

/** The bill as it was issued, and what proves it: record, chain, evidence, public key and a verifier that needs nothing but Node. */
async function exportClosed(centre: Centre, closed: ClosedMonth, options: ExportOptions): Promise<void> {
  const { period } = closed.signed.value;
  const directory = options.output ?? join('bills', period);
  const files = await writeClosedFiles(centre, closed, { format: options.format, directory, tenant: options.tenant ?? null });
  const { total, currency } = closed.bill;
  const verifier = join(directory, VERIFIER);
  if (options.json === true) printJson({ period, format: options.format, state: 'closed', total, sha256: closed.signed.value.bill, files });
  else
    printLines([
      `Closed bill ${period}: ${total} ${currency}, SHA-256 ${closed.signed.value.bill}`,
      ...files.map((file) => `  ${file}`),
      '',
      `Anyone can check it: node ${verifier} --public-key <the key you were given>`,
    ]);
}

/** Writes the tables, and, unless they are one tenant's only, the proof. Returns the paths. */
export async function writeClosedFiles(centre: Centre, closed: ClosedMonth, { format, directory, tenant }: BillFiles): Promise<string[]> {
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
  readonly format: (typeof FORMATS)[number];
  readonly directory: string;
  readonly tenant: string | null;
}

/** Writes the tables of a rated period; returns the paths. The models must be defined. */
async function writeBillFiles(
  { warehouse }: Pick<Session, 'warehouse'>,
  period: string,
  { format, directory, tenant }: BillFiles,
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
