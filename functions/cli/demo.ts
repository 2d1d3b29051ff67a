/** `kashi demo [dir]`: a small centre from raw logs to a closed bill, checked against what was planted. */
import { join } from 'node:path';
import { Command } from 'commander';
import type { BillDocument } from '../billing/bill-document.ts';
import { assert, KashiError } from '../domain/errors.ts';
import { periodOf } from '../domain/period.ts';
import { EXPECTED_PATH, generateCentre } from '../generate/generate.ts';
import { presetOptions } from '../generate/options.ts';
import { billLines, rate } from './bill.ts';
import { closeCentre } from './close.ts';
import { languageOf, writeClosedFiles } from './export.ts';
import { ingestInto } from './ingest.ts';
import { initialise, schemaFiles } from './init.ts';
import { EXIT, grouped, groupedDecimal, printJson, printLines, progressBar, tableLines } from './output.ts';
import { type ClosedMonth, readClosed } from './proof.ts';
import { withSession } from './session.ts';
import { waiveAll } from './waive.ts';
import { type Centre, folderState, landedObjects, openCentre, openFileSink, systemClock } from './wiring.ts';

/** The tenant whose bill is printed in full: it has a reward, a free allowance and a price change. */
const SHOWN_TENANT = 'research';

export function demoCommand(): Command {
  return new Command('demo')
    .description('generate a small centre in real formats, ingest it, print its bill, close the month and export it')
    .argument('[dir]', 'folder to work in', 'kashi-demo')
    .option('--json', 'machine-readable output')
    .addHelpText(
      'after',
      '\nExamples:\n  kashi demo\n  kashi demo /tmp/centre --json\n\nNothing is opened and nothing outside the folder is touched. Running it again gives the same bill.',
    )
    .action(async (directory: string, options: { readonly json?: boolean }) => {
      const outcome = await runDemo(directory, options.json === true);
      if (options.json === true) printJson(outcome);
      process.exitCode = outcome.equals_planted ? EXIT.ok : EXIT.checkFailed;
    });
}

interface DemoOutcome {
  readonly directory: string;
  readonly period: string;
  readonly total: string;
  readonly planted_total: string;
  readonly equals_planted: boolean;
  /** Of the closed bill. */
  readonly sha256: string;
  readonly files: readonly string[];
}

async function runDemo(directory: string, quiet: boolean): Promise<DemoOutcome> {
  if (folderState(directory, EXPECTED_PATH) === 'foreign') {
    throw new KashiError('usage', 'the demo wants a folder of its own', {
      where: directory,
      allowed: 'a new or empty folder, or one of an earlier demo',
      found: 'a folder with other files',
    });
  }
  const say = (lines: readonly string[]): void => (quiet ? undefined : printLines(lines));
  const preset = presetOptions('demo');
  const generated = await generateCentre(preset, openFileSink(directory), progressBar(quiet, systemClock.now));
  initialise(directory, schemaFiles());
  say([`1. Generated ${generated.files} log files with ${grouped(generated.rows)} rows in ${join(directory, 'landing')}`]);

  const { period } = generated.expected;
  const centre = afterTheMonth(openCentre({ config: join(directory, 'kashi.yaml') }), period);
  const { report } = await ingestInto(centre, [...landedObjects([centre.landingDirectory], centre)], {}, quiet);
  const { total, held } = report;
  say([
    `2. Ingested: landed ${grouped(total.physical)} lines = valid ${grouped(total.valid)} + quarantined ${grouped(total.quarantined)} + blank ${grouped(total.blank)}; residual ${total.residual}; ${grouped(total.known)} files known, ${held.length} held`,
  ]);

  const { document, checks } = await withSession(centre, period, async (session) => await rate(session, period, null));
  const planted = new Map(generated.expected.bills.map((bill) => [bill.tenant_id, bill.total]));
  const equal = document.bills.length === planted.size && document.bills.every((bill) => planted.get(bill.tenant_id) === bill.total);
  say([`3. Rated ${period}`, '']);
  say(billLines({ ...document, bills: document.bills.filter(({ tenant_id }) => tenant_id === SHOWN_TENANT) }, checks));
  say(['', ...summaryLines(document, planted), '']);

  const closed = await closeDemo(centre, period, document);
  const files = await writeClosedFiles(centre, closed, {
    format: 'csv',
    directory: join(directory, 'bills', period),
    tenant: null,
    language: languageOf(centre, undefined),
    focusVersion: '1.2',
  });
  say([
    `4. Closed ${period} (${document.unrated.length} unrated lines were waived by name, which the bill shows) and exported ${files.length} files to ${join(directory, 'bills', period)}`,
    `   bill SHA-256 ${closed.signed.value.bill}`,
    '',
    ...nextSteps(directory, period, document),
  ]);
  const sha256 = closed.signed.value.bill;
  return { directory, period, total: document.total, planted_total: generated.expected.total, equals_planted: equal, sha256, files };
}

const DAY_MS = 86_400_000;

/** The demo's month is over, whatever the calendar says. */
function afterTheMonth(centre: Centre, period: string): Centre {
  const { endMs } = periodOf(period, centre.config.timeZone);
  return { ...centre, clock: { now: () => Math.max(centre.clock.now(), endMs + DAY_MS) } };
}

/** Answers for the unrated lines that the generator plants, and closes. Errors: assertion when something else is in the way. */
async function closeDemo(centre: Centre, period: string, { unrated }: BillDocument): Promise<ClosedMonth> {
  const before = await readClosed(centre, period);
  if (before !== null) return before;
  const subjects = unrated.map(({ line_id }) => `unrated:${line_id}`);
  await waiveAll(centre, period, subjects, {
    by: 'kashi demo',
    reason: 'planted: a team that no tenant owns, and a request without usage',
  });
  const outcome = await closeCentre(centre, period, true);
  assert(outcome.state !== 'refused', `the demo's month cannot be closed: ${JSON.stringify(outcome)}`);
  const closed = await readClosed(centre, period);
  assert(closed !== null, 'a closed month has a bill');
  return closed;
}

function summaryLines(document: BillDocument, planted: ReadonlyMap<string, string>): string[] {
  const rows = document.bills.map(({ tenant_id, total, lines }) => [
    tenant_id,
    String(lines.length),
    groupedDecimal(total),
    groupedDecimal(planted.get(tenant_id) ?? '0'),
    planted.get(tenant_id) === total ? 'equal' : 'DIFFERENT',
  ]);
  return [
    `All bills of ${document.period}, beside what the generator planted:`,
    ...tableLines(['tenant', 'lines', `bill (${document.currency})`, 'planted', ''], rows, new Set([1, 2, 3])),
  ];
}

function nextSteps(directory: string, period: string, document: BillDocument): string[] {
  const config = join(directory, 'kashi.yaml');
  const line =
    document.bills.find(({ tenant_id }) => tenant_id === SHOWN_TENANT)?.lines.find(({ adjustment }) => adjustment === 'reward') ??
    document.bills[0]?.lines[0];
  return [
    'Look further:',
    `  npx kashi verify ${period} --config ${config}`,
    `  npx kashi bill ${period} --config ${config}`,
    `  npx kashi explain ${line?.line_id ?? ''} --period ${period} --config ${config}      (--lang zh-CN: 中文)`,
    `  npx kashi export ${period} --format pdf --config ${config}      (or xlsx, html, focus)`,
    `  npx kashi report ${period} --config ${config}`,
    `  npx kashi recover ${period} --config ${config}`,
    `  npx kashi advise ${period} --config ${config}`,
    `  npx kashi budget ${period} --config ${config}`,
    `  npx kashi whatif ${period} --price-book <another.yaml> --config ${config}`,
    `  npx kashi query "select model, sum(output_tokens) as tokens from fct_token_usage group by model" --config ${config}`,
    `  npx kashi status --config ${config}`,
  ];
}
