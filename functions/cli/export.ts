/** `kashi export <yyyy-mm>`: the bill as files. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { billExitCode, rate } from './bill.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { printJson, printLines } from './output.ts';
import { csvText } from './query-format.ts';
import { type Session, withSession } from './session.ts';
import { copyOutputFile, openCentre, writeOutputFile } from './wiring.ts';

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
      await withSession(openCentre(options), period, async (session) => {
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

interface BillFiles {
  readonly format: (typeof FORMATS)[number];
  readonly directory: string;
  readonly tenant: string | null;
}

/** Writes the tables of a rated period; returns the paths. The models must be defined. */
export async function writeBillFiles(
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
