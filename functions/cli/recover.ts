/** `kashi recover <yyyy-mm>`: what the accelerators cost, where the cost went, what came back. */
import { Command } from 'commander';
import { type PoolRecovery, type Recovery, type ReleaseRecovery, readRecovery, type Training } from '../billing/recover.ts';
import { buildReferences } from '../domain/build-reference.ts';
import { Rational } from '../domain/money.ts';
import { type Period, periodOf } from '../domain/period.ts';
import { type CheckResult, defineModels, runChecks } from '../warehouse/run.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { percent } from './config-file.ts';
import { EXIT, groupedDecimal, printJson, printLines, tableLines } from './output.ts';
import { periodsInData, type Session, withSession } from './session.ts';
import { openCentre } from './wiring.ts';

export function recoverCommand(): Command {
  return withCentreOptions(
    new Command('recover')
      .description('cost recovery of a month: asset cost = recovered + serving + unbilled + idle + maintenance + lost + rounding')
      .argument('<yyyy-mm>', 'billing period'),
  )
    .addHelpText(
      'after',
      `\nExamples:\n  kashi recover 2026-10\n  kashi recover 2026-10 --json | jq .total\n\nCosts are documents of kind asset_pool in the price book, releases (income per model, payback of training) of kind release;\nkashi init writes an example of each.\n\nExit code 1: an equation does not hold. Exit code 3: a pool without cost or capacity, or unrated usage.`,
    )
    .action(async (period: string, options: CommonOptions) => {
      await withSession(openCentre(options), period, async (session) => {
        const outcome = await recover(session, period);
        if (options.json === true) printJson(outcome);
        else printLines(recoveryLines(outcome));
        process.exitCode = recoverExitCode(outcome);
      });
    });
}

export interface RecoverOutcome extends Recovery {
  readonly time_zone: string;
  readonly currency: string;
  readonly snapshot: number;
  readonly unrated_lines: number;
  readonly checks: readonly CheckResult[];
}

export async function recover(session: Session, period: string): Promise<RecoverOutcome> {
  const { centre, warehouse, models, snapshot } = session;
  const { config, priceBook, tenants, inventory, catalog } = centre;
  const months = await monthsToRate(session, period);
  if (months.length > 1) await warehouse.loadReference(buildReferences({ config, priceBook, tenants, inventory, catalog }, months));
  await defineModels(warehouse, models, ['bill_unrated', 'ana_pool', 'ana_serving', 'ana_training']);
  const recovery = await readRecovery(warehouse, months);
  const { rows } = await warehouse.query('select count(*) from bill_unrated where period = ?', [period]);
  return {
    ...recovery,
    time_zone: config.timeZone,
    currency: config.currency,
    snapshot: snapshot.n,
    unrated_lines: Number(rows[0]?.[0] ?? 0),
    checks: await runChecks(warehouse, models),
  };
}

/** The period, and every month before it when a training run is to be paid back: its cost and its income began earlier. */
async function monthsToRate({ centre, warehouse }: Session, period: string): Promise<readonly Period[]> {
  const { config, priceBook } = centre;
  const asked = periodOf(period, config.timeZone);
  const trained = (priceBook?.releases ?? []).some(
    ({ training, otherTrainingCost }) => training.length > 0 || Rational.of(otherTrainingCost).n > 0n,
  );
  if (!trained) return [asked];
  const known = await periodsInData(warehouse, config.timeZone);
  return [...known.filter((month) => month.startMs < asked.startMs), asked];
}

/** 1 when an equation fails or income and bill differ, 3 when a cost, a capacity or a price is missing. */
export function recoverExitCode({ checks, income, missing, unrated_lines }: RecoverOutcome): number {
  if (checks.some(({ kind, rows }) => kind === 'equation' && rows > 0) || Rational.of(income.difference).n !== 0n) return EXIT.checkFailed;
  return missing.length > 0 || unrated_lines > 0 ? EXIT.incomplete : EXIT.ok;
}

export function recoveryLines(outcome: RecoverOutcome): string[] {
  const { period, currency, snapshot, total, income, checks } = outcome;
  const money = groupedDecimal;
  const failed = checks.filter(({ kind, rows }) => kind === 'equation' && rows > 0);
  return [
    `Cost recovery ${period}, snapshot ${snapshot}, ${currency}`,
    '',
    ...poolTable(outcome.pools),
    '',
    `asset cost ${money(total.asset)} = recovered ${money(total.recovered)} + serving ${money(total.serving)} + unbilled ${money(total.unbilled)} + idle ${money(total.idle)} + maintenance ${money(total.maintenance)} + lost ${money(total.lost)} + rounding ${money(total.rounding)}`,
    `Utilisation ${share(total.utilisation)} of the capacity; GPU-hours bring back ${share(total.recovery_rate)} of the cost (${money(total.charged_amount)}).`,
    '',
    ...siteTable(outcome),
    ...releaseTable(outcome.releases),
    '',
    `Income ${money(income.bill_total)} = GPU-hours ${money(income.gpu_hours)} + tokens ${money(income.tokens)}${Rational.of(income.corrections).n === 0n ? '' : ` + corrections of earlier months ${money(income.corrections)}`}${Rational.of(income.difference).n === 0n ? '' : ` + UNEXPLAINED ${money(income.difference)}`}`,
    ...missingLines(outcome),
    ...failed.map(
      ({ name, description, rows }) =>
        `FAILED ${name}: ${rows} ${rows === 1 ? 'row' : 'rows'}. ${description} See: kashi query "select * from ${name}" --period ${period}`,
    ),
  ];
}

function share(ratio: string | null): string {
  return ratio === null ? 'unknown' : percent(Rational.of(ratio));
}

function amount(text: string | null | undefined): string {
  return text === null || text === undefined ? 'unknown' : groupedDecimal(text);
}

function poolTable(pools: readonly PoolRecovery[]): string[] {
  const head = [
    'site',
    'pool',
    'per hour',
    'capacity h',
    'used',
    'asset cost',
    'recovered',
    'serving',
    'unbilled',
    'idle',
    'maint.',
    'lost',
    'rounding',
    'charged',
    'margin',
  ];
  const rows = pools.map((pool) => {
    const { cost } = pool;
    return [
      pool.site_id,
      pool.accelerator_model === '' ? '(unknown)' : pool.accelerator_model,
      pool.cost_per_gpu_hour?.replace(/0{1,6}$/, '') ?? 'unknown',
      amount(pool.hours.capacity),
      share(pool.utilisation),
      ...(['asset', 'recovered', 'serving', 'unbilled', 'idle', 'maintenance', 'lost', 'rounding'] as const).map((part) =>
        amount(cost?.[part]),
      ),
      amount(pool.charged_amount),
      amount(pool.margin),
    ];
  });
  return tableLines(head, rows, new Set(head.map((_, index) => index).slice(2)));
}

function siteTable({ sites }: Recovery): string[] {
  const rows = sites.map((site) => [
    site.site_id,
    amount(site.asset_cost),
    amount(site.gpu_income),
    amount(site.token_income),
    amount(site.margin),
    share(site.recovery_rate),
  ]);
  return tableLines(['site', 'asset cost', 'GPU-hour income', 'token income', 'margin', 'recovered'], rows, new Set([1, 2, 3, 4, 5]));
}

function releaseTable(releases: readonly ReleaseRecovery[]): string[] {
  if (releases.length === 0) return [];
  const rows = releases.map((one) => [
    one.release_id === '' ? '(none)' : one.release_id,
    one.model,
    one.million_tokens,
    amount(one.income),
    one.serving_hours,
    amount(one.serving_cost),
    amount(one.margin),
    one.training === null ? '' : paybackText(one.training),
  ]);
  return [
    '',
    ...tableLines(
      ['release', 'model', 'million tokens', 'income', 'serving h', 'serving cost', 'margin', 'training'],
      rows,
      new Set([2, 3, 4, 5, 6]),
      90,
    ),
  ];
}

function paybackText({ cost, other_cost, state, date }: Training): string {
  const spent = cost === null ? 'cost unknown' : groupedDecimal(Rational.of(cost).add(Rational.of(other_cost)).toFixed(2));
  const words = {
    paid_back: `paid back on ${date}`,
    projected: `paid back on ${date} if months go on like this`,
    never: 'not paid back at this margin',
    unknown: 'payback unknown',
  } as const;
  return `${spent}, ${words[state]}`;
}

function missingLines({ missing, unrated_lines, period }: RecoverOutcome): string[] {
  return [
    ...missing.map(({ site_id, accelerator_model, what }) =>
      what === 'cost'
        ? `Missing: what ${accelerator_model || 'an unknown accelerator'} at ${site_id} costs; add an asset_pool entry to the price book.`
        : `Missing: how many ${accelerator_model || 'unknown accelerators'} ${site_id} has; add its nodes to the inventory.`,
    ),
    ...(unrated_lines === 0
      ? []
      : [`Not rated: ${unrated_lines} ${unrated_lines === 1 ? 'line' : 'lines'}, so income is too low; kashi bill ${period} lists them.`]),
  ];
}
