/** `kashi bill <yyyy-mm>`: the closed bill as it was issued, else the provisional one. */
import { Command } from 'commander';
import { type BillDocument, type BillLine, readBill } from '../billing/bill-document.ts';
import { withCorrections } from '../close/bill-object.ts';
import { periodOf } from '../domain/period.ts';
import { type CheckResult, defineModels, runChecks } from '../warehouse/run.ts';
import { type CommonOptions, ENGINES, withCentreOptions } from './centre-options.ts';
import { equationLines, waiverLines } from './close.ts';
import { type ClosedDocument, closedDocument, pendingIn } from './closing.ts';
import { EXIT, groupedDecimal, printJson, printLines, tableLines } from './output.ts';
import { withRolledSession } from './rolled-session.ts';
import { lineEquation, type Session, withSession } from './session.ts';
import { openCentre, trustedKey } from './wiring.ts';

interface BillOptions extends CommonOptions {
  readonly tenant?: string;
  readonly rows?: boolean;
}

export function billCommand(): Command {
  return withCentreOptions(
    new Command('bill')
      .description('the bill of a month, line by line')
      .argument('<yyyy-mm>', 'billing period')
      .option('--tenant <id>', 'only this tenant')
      .option('--rows', 'rate every row again, without the sums that earlier bills kept'),
    ENGINES,
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi bill 2026-10\n  kashi bill 2026-10 --tenant research --json\n\nExit code 3: something is held or unrated, so the month cannot be closed yet.',
    )
    .action(async (period: string, options: BillOptions) => {
      const centre = openCentre(options);
      periodOf(period, centre.config.timeZone);
      const closed = await closedDocument(centre.store, period, options.tenant ?? null, trustedKey(centre, null));
      if (closed !== null) {
        if (options.json === true) printJson(closed);
        else printLines(closedBillLines(closed));
        return;
      }
      const print = async (session: Session): Promise<void> => {
        const { document, checks } = await rate(session, period, options.tenant ?? null);
        if (options.json === true) printJson({ ...document, checks });
        else printLines(billLines(document, checks));
        process.exitCode = billExitCode(session, document, checks);
      };
      if (options.rows === true) await withSession(centre, period, print);
      else await withRolledSession(centre, period, print);
    });
}

/** Rates the period and runs every check. The month to be closed next also shows the corrections that it would issue. */
export async function rate(
  session: Session,
  period: string,
  tenant: string | null,
): Promise<{ document: BillDocument; checks: readonly CheckResult[] }> {
  const { warehouse, models, snapshot, centre } = session;
  await defineModels(warehouse, models, ['bill_line', 'bill', 'bill_unrated']);
  const context = {
    period,
    timeZone: centre.config.timeZone,
    currency: centre.priceBook?.currency ?? centre.config.currency,
    snapshot: snapshot.n,
    lines: lineEquation(snapshot),
    tenant,
  };
  const document = await readBill(warehouse, context);
  const corrections = (await pendingIn(centre, period)).lines.filter(({ tenant_id }) => tenant === null || tenant_id === tenant);
  return { document: withCorrections(document, corrections), checks: await runChecks(warehouse, models) };
}

export function billExitCode({ snapshot }: Pick<Session, 'snapshot'>, document: BillDocument, checks: readonly CheckResult[]): number {
  if (document.equations.lines.residual !== 0 || checks.some(({ kind, rows }) => kind === 'equation' && rows > 0)) return EXIT.checkFailed;
  const held = Object.values(snapshot.totals).some((totals) => totals.held > 0);
  return held || document.unrated.length > 0 ? EXIT.incomplete : EXIT.ok;
}

const ADJUSTMENT_WORDS: Readonly<Record<string, string>> = {
  penalty: 'penalty',
  reward: 'reward',
  curve: 'curve',
  unrated: 'no evidence',
  exempt: 'exempt',
  none: '',
};

/** Heading, and each tenant's table. */
function tenantLines({
  period,
  time_zone,
  state,
  snapshot,
  currency,
  bills,
}: Pick<BillDocument, 'period' | 'time_zone' | 'snapshot' | 'currency' | 'bills' | 'state'>): string[] {
  return [
    `Bill ${period} (${time_zone}), ${state}, snapshot ${snapshot}, ${currency}`,
    ...bills.flatMap((bill) => [
      '',
      `${bill.tenant_id}: ${groupedDecimal(bill.total)} ${currency}`,
      ...tableLines(
        [
          'line',
          'kind',
          'site',
          'sku',
          'workload',
          'quantity',
          'unit',
          'list price',
          'factor',
          'unit price',
          'amount',
          'HFU',
          'MFU',
          'adjustment',
        ],
        bill.lines.map(cells),
        new Set([5, 7, 8, 9, 10, 11, 12]),
        36,
      ),
    ]),
  ];
}

/** The closed bill, its equations, and what is needed to prove it. */
function closedBillLines(document: ClosedDocument): string[] {
  const { period, currency, total, equations, signature, sha256, corrected_in, waivers } = document;
  return [
    ...tenantLines(document),
    '',
    `Total ${groupedDecimal(total)} ${currency}`,
    ...corrected_in.map((later) => `Corrected in ${later.issued_in} by ${groupedDecimal(later.total)} ${currency} (${later.lines} lines)`),
    '',
    ...equationLines(equations.all),
    ...waiverLines(waivers),
    '',
    `SHA-256 ${sha256}, signed by key ${signature.key_id}. Prove it: kashi verify ${period}`,
  ];
}

export function billLines(document: BillDocument, checks: readonly CheckResult[]): string[] {
  const { currency, equations } = document;
  const failed = checks.filter(({ kind, rows }) => kind === 'equation' && rows > 0);
  const findings = checks.filter(({ kind, rows }) => kind === 'finding' && rows > 0);
  const { physical, valid, quarantined, blank, residual } = equations.lines;
  return [
    ...tenantLines(document),
    '',
    `Total ${groupedDecimal(document.total)} ${currency}`,
    ...(document.unrated.length === 0
      ? []
      : [
          '',
          'Not rated (no price, tenant or count: the month cannot be closed; never charged as zero):',
          ...tableLines(
            ['line', 'kind', 'reason', 'tenant or key', 'site', 'sku', 'workload', 'quantity', 'unit'],
            document.unrated.map((line) => [
              line.line_id,
              line.kind,
              line.reason,
              line.tenant_id ?? line.tenant_key ?? '',
              line.site_id,
              line.sku,
              line.workload_id,
              line.quantity,
              line.unit,
            ]),
            new Set([7]),
            36,
          ),
        ]),
    '',
    `Lines: landed ${physical} = valid ${valid} + quarantined ${quarantined} + blank ${blank}; residual ${residual}`,
    ...failed.map(({ name, description, rows }) => `FAILED ${name}: ${rows} ${rows === 1 ? 'row' : 'rows'}. ${description}`),
    ...findings.map(({ name, description, rows }) => `Finding ${name}: ${rows} ${rows === 1 ? 'row' : 'rows'}. ${description}`),
    failed.length === 0
      ? `Checks: ${checks.length - failed.length} run, every equation holds.`
      : 'A broken equation means that this bill is wrong; do not send it.',
  ];
}

function cells(line: BillLine): string[] {
  const short = (price: string): string => price.replace(/0{1,8}$/, '');
  return [
    line.line_id,
    line.kind,
    line.site_id,
    line.sku,
    line.workload_id,
    line.quantity,
    line.unit,
    short(line.list_unit_price),
    line.factor,
    short(line.unit_price),
    groupedDecimal(line.amount),
    line.hfu ?? (line.proxy === null ? '' : `busy ${line.proxy}`),
    line.mfu ?? '',
    noteOf(line),
  ];
}

function noteOf({ kind, tier_no, adjustment, corrects_line_id, charge_period, cause }: BillLine): string {
  if (kind === 'correction') return `${charge_period} ${corrects_line_id}: ${cause}`;
  return tier_no < 0 ? 'free allowance' : (ADJUSTMENT_WORDS[adjustment ?? ''] ?? '');
}
