/** `kashi economics [model[:version]]`: what each model version earned and what it cost. */
import { Command } from 'commander';
import { type Doubtful, type Economics, readEconomics, type VersionEconomics } from '../billing/economics.ts';
import { KashiError } from '../domain/errors.ts';
import { Rational } from '../domain/money.ts';
import { type CheckResult, defineModels, runChecks } from '../warehouse/run.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { percent } from './config-file.ts';
import { EXIT, groupedDecimal, printJson, printLines, tableLines } from './output.ts';
import { type Session, withSession } from './session.ts';
import { openCentre } from './wiring.ts';
import { findFleet, openFleet } from './wiring-fleet.ts';

interface EconomicsOptions extends CommonOptions {
  readonly fleet?: string;
  readonly period?: string;
}

export interface EconomicsReport extends Economics {
  readonly currency: string;
  readonly snapshot: number;
  readonly checks: readonly CheckResult[];
}

export function economicsCommand(): Command {
  return withCentreOptions(
    new Command('economics')
      .description('training, build, distribution and serving cost, income and payback of every model version, joined by image digest')
      .argument('[model[:version]]', 'only this model, or this version of it')
      .option('--period <yyyy-mm>', 'only this month (default: every month in the data)')
      .option('--fleet <file>', 'fleet.yaml, for the price of a transfer (default: beside kashi.yaml)'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi economics\n  kashi economics chat:v2.1.0 --period 2026-10\n\nTokens whose record names no image belong to the image that was live at the site then. What no version earned is listed too: the sum is\nthat of the bills. Training jobs are those that releases name; build jobs are called build-<model>-<version>.\n\nExit code 1: income and bills differ. Exit code 3: tokens were billed for an image that was not live.',
    )
    .action(async (name: string | undefined, options: EconomicsOptions) => {
      const centre = openCentre(options);
      const transfer = findFleet(centre, options.fleet) === null ? null : openFleet(centre, options.fleet).file.transferPerGib;
      await withSession(centre, options.period ?? null, async (session) => {
        const report = only(await economics(session, transfer), name);
        if (options.json === true) printJson(report);
        else printLines(economicsLines(report));
        process.exitCode = economicsExitCode(report);
      });
    });
}

export async function economics({ warehouse, models, centre, snapshot }: Session, transferPerGib: string | null): Promise<EconomicsReport> {
  await defineModels(warehouse, models, ['bill', 'ana_release_income', 'ana_version_cost', 'ana_serving']);
  const read = await readEconomics(warehouse, transferPerGib);
  const checks = (await runChecks(warehouse, models)).filter(({ name }) => name === 'chk_release_income' || name === 'chk_never_live');
  return { ...read, currency: centre.config.currency, snapshot: snapshot.n, checks };
}

/** The report with one model, or one version; sums stay those of the whole. Errors: KashiError not_found. */
function only(report: EconomicsReport, name: string | undefined): EconomicsReport {
  if (name === undefined) return report;
  const [model = '', version] = name.split(':');
  const versions = report.versions.filter((one) => one.model === model && (version === undefined || one.model_version === version));
  if (versions.length > 0) return { ...report, versions };
  const allowed = report.versions.map((one) => `${one.model}:${one.model_version}`).join(', ');
  throw new KashiError('not_found', 'no tokens and no rollout of this model', {
    allowed: allowed === '' ? 'a model of the data' : allowed,
    found: name,
  });
}

export function economicsExitCode({ difference, checks, never_live }: EconomicsReport): number {
  if (Rational.of(difference).n !== 0n || checks.some(({ kind, rows }) => kind === 'equation' && rows > 0)) return EXIT.checkFailed;
  return never_live.length > 0 ? EXIT.incomplete : EXIT.ok;
}

export function economicsLines(report: EconomicsReport): string[] {
  const { currency, periods, versions, without_tokens, bill_total, difference } = report;
  const money = (text: string | null): string => (text === null ? '?' : groupedDecimal(text));
  const rows = versions.map((one) => [
    one.model,
    one.model_version === '' ? '(no version)' : one.model_version,
    groupedDecimal(Rational.of(one.million_tokens).toFixed(3)),
    money(one.income),
    money(one.training_cost),
    money(one.build_cost),
    money(one.distribution_cost),
    money(one.serving_cost),
    one.cost_per_million === null ? '' : groupedDecimal(one.cost_per_million),
    money(one.margin),
    paybackText(one),
  ]);
  const head = [
    'model',
    'version',
    'M tokens',
    'income',
    'training',
    'build',
    'distribution',
    'serving',
    'cost per M',
    'margin',
    'payback',
  ];
  const earned = versions.map((one) => one.income);
  return [
    `Economics by model version, ${periods.length === 1 ? periods[0] : `${periods[0] ?? ''} to ${periods.at(-1) ?? ''}`}, ${currency}`,
    '',
    ...tableLines(head, rows, new Set([2, 3, 4, 5, 6, 7, 8, 9])),
    '',
    `Versions above ${money(earned.reduce((sum, text) => sum.add(Rational.of(text)), Rational.of(0)).toFixed(2))}, lines without tokens ${money(without_tokens)}, all bills ${money(bill_total)}; every income less the bills: ${money(difference)}.`,
    ...(report.idle_serving_cost === '0.00' ? [] : [`Serving accelerators that sold no tokens cost ${money(report.idle_serving_cost)}.`]),
    ...doubtfulLines('Billed for an image that was not live there then', report.never_live, currency),
    ...doubtfulLines('Served by an image that was taken back', report.rolled_back, currency),
    ...doubtfulLines('Given back by orders of the price book', report.credited, currency),
    ...orderLines(report),
  ];
}

/** Entries to paste, so that giving back is a decision with a name and a reason. */
function orderLines({ credit_orders: orders }: EconomicsReport): string[] {
  if (orders.length === 0) return [];
  const entry = ({
    model,
    model_version,
    site,
    image_digest,
    effective_from,
    effective_to,
  }: EconomicsReport['credit_orders'][number]): string =>
    `  - {id: ${JSON.stringify(`${model}-${model_version}-${site}`)}, model: ${JSON.stringify(model)}, site: ${JSON.stringify(site)}, image_digest: "${image_digest}", effective_from: "${effective_from}", effective_to: "${effective_to}", note: "<why>", approved_by: "<who>"}`;
  return [
    '',
    'To give it back, put orders into the price book; a closed month wants kashi correct <month> --by … --reason … too:',
    '',
    'kind: token_credit',
    'entries:',
    ...orders.map(entry),
  ];
}

function paybackText({ payback }: VersionEconomics): string {
  if (payback.share === null) return '';
  return payback.paid_back_in === null
    ? `${percent(Rational.of(payback.share))} of ${groupedDecimal(payback.to_recover)}`
    : `in ${payback.paid_back_in}`;
}

function doubtfulLines(title: string, rows: readonly Doubtful[], currency: string): string[] {
  if (rows.length === 0) return [];
  const cells = rows.map((one) => [
    one.period,
    one.tenant_id,
    one.site_id,
    one.model,
    one.model_version,
    one.image_digest.slice(0, 19),
    groupedDecimal(one.amount),
  ]);
  return [
    '',
    `${title} (${currency}):`,
    ...tableLines(['month', 'tenant', 'site', 'model', 'version', 'image', 'amount'], cells, new Set([6])),
  ];
}
