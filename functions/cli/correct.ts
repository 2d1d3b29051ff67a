/** `kashi correct <yyyy-mm>`: what a closed month would be rated to now, and orders to rate it by other rules. */
import { Command } from 'commander';
import type { IssuedLine } from '../close/bill-object.ts';
import { monthAfter } from '../close/month-inputs.ts';
import { type OrderCause, putOrder, readOrders, type StoredOrder } from '../close/order.ts';
import type { Rules } from '../close/rules.ts';
import { readRules, storeRules } from '../close/rules.ts';
import { readSignedBill } from '../close/statement.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { sumDecimals } from '../domain/money.ts';
import { periodOf } from '../domain/period.ts';
import type { ReferenceName } from '../domain/reference.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { currentRules, inForce, lastClosed, pendingIn } from './closing.ts';
import { groupedDecimal, printJson, printLines, tableLines } from './output.ts';
import { type Centre, openCentre, openSigner } from './wiring.ts';

interface CorrectOptions extends CommonOptions {
  readonly by?: string;
  readonly reason?: string;
}

export function correctCommand(): Command {
  return withCentreOptions(
    new Command('correct')
      .description('corrections of a closed month: what the next bill would issue, and orders to rate it by the configuration as it is now')
      .argument('<yyyy-mm>', 'closed month')
      .option('--by <name>', 'order: who gives it')
      .option('--reason <text>', 'order: why'),
  )
    .addHelpText(
      'after',
      `
Examples:
  kashi correct 2026-10                                             look: late data, and what the configuration would change
  kashi correct 2026-10 --by "Li Wei" --reason "price agreed late"   order: rate October by today's price book, tenants and inventory

A closed bill never changes. Late rows and newly parsed ones become corrections by themselves; other prices, tenants or capacity only by an
order, which is signed and numbered. The corrections are lines of the next bill, each naming the line it repairs.`,
    )
    .action(async (period: string, options: CorrectOptions) => {
      const centre = openCentre(options);
      periodOf(period, centre.config.timeZone);
      const order =
        options.by === undefined && options.reason === undefined
          ? null
          : await orderCorrection(centre, period, options.by ?? '', options.reason ?? '');
      const looked = await lookAt(centre, period);
      if (options.json === true) printJson({ period, order, ...looked });
      else printLines(lookLines(period, order, looked));
    });
}

/** Orders that a closed month be rated by the configuration as it is now. Errors: KashiError not_found, usage; conflict when nothing differs. */
export async function orderCorrection(centre: Centre, period: string, by: string, reason: string): Promise<StoredOrder> {
  const { store } = centre;
  const signer = openSigner(centre);
  const wanted = currentRules(centre, periodOf(period, centre.config.timeZone));
  const changed = changesOf(await rulesInForce(centre, period), wanted);
  if (changed.length === 0)
    throw new KashiError('conflict', 'there is nothing to order', {
      where: period,
      allowed: 'a price book, tenant map or inventory that says something else about the month',
      found: 'the rules that are in force',
      hint: 'late rows need no order',
    });
  await storeRules(store, wanted);
  const { ratesSha256: rates, sqlSha256: sql } = wanted;
  return await putOrder(store, signer, {
    period,
    cause: causeOf(changed),
    reason,
    ordered_by: by,
    ordered_at_ms: centre.clock.now(),
    rates,
    sql,
  });
}

/** The rules by which the next close would rate the month: of its close, or of its last order. */
async function rulesInForce(centre: Centre, period: string): Promise<Rules> {
  if ((await readSignedBill(centre.store, period, null)) === null)
    throw new KashiError('not_found', 'the month is not closed', {
      where: period,
      allowed: 'a closed month',
      hint: `kashi close ${period}`,
    });
  const { rates, sql } = await inForce(centre, period);
  return await readRules(centre.store, rates, sql);
}

const CAPACITY: readonly string[] = ['ref_capacity', 'ref_outage', 'ref_site'];

/** Reference tables, and 'sql', that say something else. */
function changesOf(before: Rules, after: Rules): string[] {
  const tables = (Object.keys(after.rates.reference) as ReferenceName[]).filter(
    (name) => canonicalJson(before.rates.reference[name] ?? []) !== canonicalJson(after.rates.reference[name]),
  );
  return [...tables, ...(before.sqlSha256 === after.sqlSha256 ? [] : ['sql'])];
}

function causeOf(changed: readonly string[]): OrderCause {
  if (changed.every((name) => CAPACITY.includes(name))) return 'capacity_fix';
  return changed.every((name) => name === 'ref_tenant_key') ? 'tenant_fix' : 'rerate';
}

interface Looked {
  /** The bill that would issue them; null when another month is not closed yet. */
  readonly issued_in: string | null;
  readonly total: string;
  readonly lines: readonly IssuedLine[];
  /** What the configuration says otherwise than the rules in force. */
  readonly changed_rules: readonly string[];
  readonly orders: readonly StoredOrder[];
}

async function lookAt(centre: Centre, period: string): Promise<Looked> {
  const last = await lastClosed(centre.store);
  const changed_rules = changesOf(await rulesInForce(centre, period), currentRules(centre, periodOf(period, centre.config.timeZone)));
  const issued_in = last === null ? null : monthAfter(last);
  const lines =
    issued_in === null ? [] : (await pendingIn(centre, issued_in)).lines.filter(({ charge_period }) => charge_period === period);
  const total = sumDecimals(
    lines.map(({ amount }) => amount),
    2,
  );
  return { issued_in, total, lines, changed_rules, orders: await readOrders(centre.store, period, null) };
}

function lookLines(period: string, order: StoredOrder | null, { issued_in, total, lines, changed_rules, orders }: Looked): string[] {
  const rows = lines.map((line) => [
    line.tenant_id,
    line.corrects_line_id ?? '',
    line.cause ?? '',
    line.part ?? '',
    line.sku,
    line.workload_id,
    line.quantity,
    line.unit_price.replace(/0{1,8}$/, ''),
    groupedDecimal(line.amount),
  ]);
  return [
    ...(order === null ? [] : [`Order ${order.number} for ${period}: ${order.cause}, by ${order.ordered_by}: ${order.reason}`, '']),
    lines.length === 0
      ? `${period}: nothing to correct.`
      : `${period}: the bill of ${issued_in} would issue ${lines.length} corrections, ${groupedDecimal(total)} in all:`,
    ...(lines.length === 0
      ? []
      : tableLines(
          ['tenant', 'corrects line', 'cause', 'part', 'sku', 'workload', 'quantity', 'unit price', 'amount'],
          rows,
          new Set([6, 7, 8]),
          36,
        )),
    ...(changed_rules.length === 0
      ? []
      : [
          '',
          `The configuration differs from the rules in force (${changed_rules.map((table) => table.replace(/^ref_/, '').replaceAll('_', ' ')).join(', ')}). Without an order it does not touch a closed month:`,
          `  kashi correct ${period} --by "<name>" --reason "<why>"`,
        ]),
    ...(orders.length === 0
      ? []
      : ['', 'Orders:', ...orders.map((one) => `  ${one.number}  ${one.cause}, by ${one.ordered_by}: ${one.reason}`)]),
  ];
}
