/** `kashi budget <yyyy-mm>`: how far budgets and quotas are used, where the month is heading, and saying so once. */
import { Command, Option } from 'commander';
import { type Announcement, announce, type HookTarget } from '../billing/announce.ts';
import { type BudgetStatus, type BudgetUse, RECENT_MS, readBudgetUse, statusOf } from '../billing/budget.ts';
import { buildReferences } from '../domain/build-reference.ts';
import { KashiError } from '../domain/errors.ts';
import { parseHookSecrets } from '../domain/hook-signature.ts';
import { Rational, trimDecimal } from '../domain/money.ts';
import { effectiveInstantMs, effectiveText, type Period, periodOf } from '../domain/period.ts';
import { defineModels } from '../warehouse/run.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { percent } from './config-file.ts';
import { EXIT, groupedDecimal, printJson, printLines, tableLines } from './output.ts';
import { type Session, withSession } from './session.ts';
import { type Centre, httpHookSender, openCentre } from './wiring.ts';

interface BudgetOptions extends CommonOptions {
  readonly asOf?: string;
  readonly tenant?: string;
  readonly announce?: boolean;
  readonly check?: boolean;
}

export function budgetCommand(): Command {
  return withCentreOptions(
    new Command('budget')
      .description('how far budgets and quotas of a month are used, burn rate, and forecast to its end')
      .argument('<yyyy-mm>', 'billing period')
      .option('--tenant <id>', 'only budgets of this tenant')
      .addOption(new Option('--as-of <instant>', 'judge what happened before this date or instant (default: the last event in the data)'))
      .option('--announce', 'announce crossed thresholds, once each, to the hook in kashi.yaml')
      .option('--check', 'exit with 1 when a limit is exceeded'),
  )
    .addHelpText(
      'after',
      `\nExamples:\n  kashi budget 2026-10\n  kashi budget 2026-10 --as-of 2026-10-15 --json\n  kashi budget 2026-10 --announce           from a scheduler, as often as you like: a threshold of a month is announced once\n\nBudgets are documents of kind budget in the price book. What is used follows from event time, so late logs count in their month and\nnothing is ever reset. Exit code 1: a hook was not taken (it is sent again next time), or a limit is exceeded and --check is given.\nExit code 3: usage without a price, so that an amount is too low.`,
    )
    .action(async (period: string, options: BudgetOptions) => {
      const centre = openCentre(options);
      const target = options.announce === true ? hookTarget(centre) : null;
      await withSession(centre, period, async (session) => {
        const report = await budgetReport(session, period, options);
        const announcements = options.announce === true ? await announceDue(session, report, target) : null;
        if (options.json === true) printJson({ ...report, announcements });
        else printLines(budgetLines(report, announcements));
        process.exitCode = budgetExitCode(report, announcements, options.check === true);
      });
    });
}

export interface BudgetReport {
  readonly period: string;
  readonly time_zone: string;
  readonly currency: string;
  readonly snapshot: number;
  /** Instant before which everything counted; UTC. */
  readonly as_of: string;
  readonly budgets: readonly BudgetStatus[];
}

/** Rates the part of the month before an instant, so that open allocations end there and tiers fill as they will on the bill. */
export async function budgetReport(
  session: Session,
  period: string,
  { asOf, tenant }: Pick<BudgetOptions, 'asOf' | 'tenant'>,
): Promise<BudgetReport> {
  const { centre, snapshot } = session;
  const { timeZone, currency } = centre.config;
  const month = periodOf(period, timeZone);
  const budgets = (centre.priceBook?.budgets ?? []).filter(
    (budget) => budget.fromMs <= month.startMs && month.startMs < budget.toMs && (tenant === undefined || budget.tenantId === tenant),
  );
  if (budgets.length === 0)
    throw new KashiError('not_found', `no budget holds in ${period}${tenant === undefined ? '' : ` for ${tenant}`}`, {
      where: centre.priceBook?.fileName ?? 'the price book',
      allowed: 'documents of kind budget with an effective_from in or before the month',
      hint: 'kashi init writes an example',
    });
  const asOfMs = await instantOf(session, month, asOf);
  const uses = await usedBefore(session, month, asOfMs);
  const recentMs = asOfMs - RECENT_MS;
  // Past the end nothing is forecast; without seven days behind it the pace is that of the month so far.
  const before =
    asOfMs < month.endMs && recentMs > month.startMs ? { atMs: recentMs, uses: await usedBefore(session, month, recentMs) } : null;
  const statuses = budgets.map((budget) => {
    const use = uses.find(({ budget_id }) => budget_id === budget.id) ?? unused(budget.id, budget);
    return statusOf(use, budget, month, asOfMs, before);
  });
  const sorted = statuses.sort((left, right) => (left.budget_id < right.budget_id ? -1 : 1));
  return { period, time_zone: timeZone, currency, snapshot: snapshot.n, as_of: new Date(asOfMs).toISOString(), budgets: sorted };
}

function unused(
  id: string,
  budget: { tenantId: string; siteId: string; product: string; measure: BudgetUse['measure']; limit: string },
): BudgetUse {
  const { tenantId, siteId, product, measure, limit } = budget;
  return { budget_id: id, tenant_id: tenantId, site_id: siteId, product, measure, limit, used: '0.000000', unrated_lines: 0 };
}

/** Use of the month's part before an instant: the same SQL over a period that ends there. */
async function usedBefore({ centre, warehouse, models }: Session, month: Period, beforeMs: number): Promise<BudgetUse[]> {
  if (beforeMs <= month.startMs) return [];
  const { config, priceBook, tenants, inventory, catalog } = centre;
  await warehouse.loadReference(buildReferences({ config, priceBook, tenants, inventory, catalog }, [{ ...month, endMs: beforeMs }]));
  await defineModels(warehouse, models, ['ana_budget']);
  return await readBudgetUse(warehouse, month.period);
}

/** The instant asked for, else just after the last event in the data; inside the month or at its bounds. */
async function instantOf({ warehouse }: Session, month: Period, asOf: string | undefined): Promise<number> {
  const { startMs, endMs } = month;
  if (asOf === undefined) return Math.min(endMs, Math.max(startMs, (await lastEventMs(warehouse)) + 1));
  const ms = effectiveInstantMs(asOf, month.timeZone);
  if (ms === null || ms <= startMs || ms > endMs)
    throw new KashiError('usage', 'not an instant of the month', {
      where: '--as-of',
      allowed: `a date or an RFC 3339 instant after ${effectiveText(startMs, month.timeZone)} and up to ${effectiveText(endMs, month.timeZone)}`,
      found: asOf,
    });
  return ms;
}

/** Epoch ms of the newest thing any source reported; 0 in an empty warehouse. */
async function lastEventMs(warehouse: Session['warehouse']): Promise<number> {
  const { rows } = await warehouse.query(`
    select max(last_ms) from (
      select max(event_at_ms) as last_ms from raw_token_usage
      union all
      select max(case when end_at_ms > observed_at_ms then end_at_ms else observed_at_ms end) from raw_allocation_event
      union all
      select max(sampled_at_ms) from raw_gpu_sample
      union all
      select max(observed_at_ms) from raw_scheduler_event
    ) as newest`);
  return Number(rows[0]?.[0] ?? 0);
}

/** Errors: KashiError config_missing or config_invalid for the file of secrets. Null when no hook is configured. */
export function hookTarget({ config, readBeside }: Centre): HookTarget | null {
  if (config.alerts === null) return null;
  const { url, secretFile } = config.alerts;
  return { url, secrets: parseHookSecrets(readBeside(secretFile), secretFile), sender: httpHookSender };
}

async function announceDue({ centre }: Session, report: BudgetReport, target: HookTarget | null): Promise<Announcement[]> {
  const { period, currency, as_of, snapshot } = report;
  return await announce(
    report.budgets,
    { centre: centre.config.centre, period, currency, as_of, snapshot },
    centre.store,
    centre.clock,
    target,
  );
}

export function budgetExitCode({ budgets }: BudgetReport, announcements: readonly Announcement[] | null, check: boolean): number {
  if ((announcements ?? []).some(({ delivery }) => delivery === 'failed')) return EXIT.checkFailed;
  if (check && budgets.some(({ state }) => state === 'over')) return EXIT.checkFailed;
  return budgets.some(({ measure, unrated_lines }) => measure === 'amount' && unrated_lines > 0) ? EXIT.incomplete : EXIT.ok;
}

const UNITS: Readonly<Record<BudgetUse['measure'], string>> = { amount: '', gpu_hours: 'GPU-hours', million_tokens: 'million tokens' };

export function budgetLines(report: BudgetReport, announcements: readonly Announcement[] | null): string[] {
  const { period, currency, snapshot, as_of, time_zone, budgets } = report;
  const share = (text: string): string => percent(Rational.of(text));
  const rows = budgets.map((one) => [
    one.budget_id,
    one.tenant_id === '' ? '(centre)' : one.tenant_id,
    [one.product, one.site_id].filter((text) => text !== '').join(' at '),
    quantity(one, one.limit),
    quantity(one, one.used),
    share(one.used_share),
    one.burn_rate === null ? '' : trimDecimal(Rational.of(one.burn_rate).toFixed(2), 2),
    quantity(one, one.forecast),
    one.measure === 'amount' ? currency : UNITS[one.measure],
    one.reached_on ?? '',
    one.state.toUpperCase(),
  ]);
  const head = ['budget', 'tenant', 'of', 'limit', 'used', 'share', 'burn', 'forecast', 'unit', 'reached on', ''];
  const unrated = budgets.filter((one) => one.measure === 'amount' && one.unrated_lines > 0).map((one) => one.budget_id);
  return [
    `Budgets ${period}, up to ${effectiveText(Date.parse(as_of), time_zone)} (${time_zone}), snapshot ${snapshot}`,
    '',
    ...tableLines(head, rows, new Set([3, 4, 5, 6, 7])),
    '',
    'burn 1.00 uses the limit exactly; the forecast goes on at the pace of the last seven days, or of the month so far when it is younger.',
    ...(unrated.length === 0
      ? []
      : [`Usage without a price is missing from the amount of ${unrated.join(', ')}; kashi bill ${period} lists it.`]),
    ...(announcements === null ? dueLines(budgets) : announcements.map(announcementLine)),
  ];
}

function quantity({ measure }: Pick<BudgetUse, 'measure'>, text: string): string {
  return groupedDecimal(measure === 'amount' ? Rational.of(text).toFixed(2) : Rational.of(text).toFixed(3));
}

function crossed({ kind, share }: Pick<Announcement, 'kind' | 'share'>): string {
  if (kind === 'burn_rate') return `burn rate of ${trimDecimal(share, 2)}`;
  return `${percent(Rational.of(share))} ${kind === 'used' ? 'used' : 'forecast'}`;
}

function dueLines(budgets: readonly BudgetStatus[]): string[] {
  const lines = budgets.flatMap(({ budget_id, due }) => due.map((alert) => `Crossed: ${budget_id}, ${crossed(alert)}`));
  return lines.length === 0 ? [] : [...lines, 'With --announce these are announced, each once.'];
}

function announcementLine(one: Announcement): string {
  const words = {
    delivered: `delivered (${one.answer})`,
    delivered_before: 'delivered before',
    failed: `NOT delivered (${one.answer}); sent again next time`,
    not_configured: 'no hook is configured',
  } as const;
  return `${one.found === 'new' ? 'Announced' : 'Known'}: ${one.budget_id}, ${crossed(one)}; ${words[one.delivery]}`;
}
