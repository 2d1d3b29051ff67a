/** `kashi advise <yyyy-mm>`: where money was wasted, how much, and how to see it. */
import { Command, InvalidArgumentError } from 'commander';
import { ADVICES, type Advice, type AdviceReport, type Basis, readAdvice } from '../billing/advise.ts';
import { defineModels } from '../warehouse/run.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { groupedDecimal, printJson, printLines, tableLines } from './output.ts';
import { type Session, withSession } from './session.ts';
import { openCentre } from './wiring.ts';

interface AdviseOptions extends CommonOptions {
  readonly tenant?: string;
  readonly top: number;
}

export function adviseCommand(): Command {
  return withCentreOptions(
    new Command('advise')
      .description('the largest avoidable costs of a month: idle, failed runs, low HFU, dear hours, waiting, cache misses, reserved time')
      .argument('<yyyy-mm>', 'billing period')
      .option('--tenant <id>', 'only what this tenant can change')
      .option('--top <n>', 'rows shown for each advice', countOf, 5),
  )
    .addHelpText(
      'after',
      `\nExamples:\n  kashi advise 2026-10\n  kashi advise 2026-10 --tenant research --top 20\n  kashi advise 2026-10 --json | jq '.advices[] | {advice, amount, query}'\n\nAn hour is worth what its pool costs (kind asset_pool in the price book), else its list price. Amounts at cost and at price are kept\napart, and an advice that is about the same hours as another says so.`,
    )
    .action(async (period: string, options: AdviseOptions) => {
      await withSession(openCentre(options), period, async (session) => {
        const report = await advise(session, period, options.tenant ?? null, options.top);
        const { currency } = session.centre.config;
        if (options.json === true) printJson({ ...report, currency, snapshot: session.snapshot.n });
        else printLines(adviceLines(report, currency, session.snapshot.n));
      });
    });
}

function countOf(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1 || count > 10_000) throw new InvalidArgumentError('Allowed: 1 to 10000.');
  return count;
}

export async function advise({ warehouse, models }: Session, period: string, tenant: string | null, top: number): Promise<AdviceReport> {
  await defineModels(warehouse, models, [...Object.values(ADVICES).map(({ model }) => model), 'ana_hour_value']);
  return await readAdvice(warehouse, period, tenant, top);
}

const BASIS_WORDS: Readonly<Record<Basis, string>> = {
  cost: 'at cost, for the centre',
  list_price: 'at list price, where no cost is stated',
  price: 'at price, for tenants',
};

export function adviceLines(report: AdviceReport, currency: string, snapshot: number): string[] {
  const { period, advices, totals, not_valued } = report;
  const total = (Object.entries(totals) as [Basis, string][]).map(
    ([basis, amount]) => `At most ${groupedDecimal(amount)} ${currency} ${BASIS_WORDS[basis]}; what overlaps is counted once.`,
  );
  return [
    `Advice ${period}, snapshot ${snapshot}, ${currency}`,
    ...(advices.length === 0 ? ['', 'Nothing was found that could be saved.'] : []),
    ...advices.flatMap((advice, index) => ['', ...oneAdvice(advice, index + 1, currency)]),
    '',
    ...total,
    ...not_valued.map(
      ({ site_id, accelerator_model }) =>
        `Not valued: ${accelerator_model || 'an unknown accelerator'} at ${site_id} has neither cost nor list price.`,
    ),
  ];
}

function oneAdvice(advice: Advice, rank: number, currency: string): string[] {
  const { title, amount, amounts, formula, remedy, rows, rows_total, query, overlaps } = advice;
  const bases = (Object.keys(amounts) as Basis[]).map((basis) => BASIS_WORDS[basis]).join(' and ');
  return [
    `${rank}. ${title}: ${groupedDecimal(amount)} ${currency} (${bases})`,
    `   ${formula}`,
    ...tableLines(
      ['tenant', 'site', 'product', 'workload', 'quantity', 'unit', 'each', 'amount', 'evidence'],
      rows.map((row) => [
        row.tenant_id,
        row.site_id,
        row.product,
        row.workload_id,
        row.quantity,
        row.unit,
        row.unit_value.replace(/0{1,8}$/, ''),
        groupedDecimal(row.amount),
        row.evidence,
      ]),
      new Set([4, 6, 7]),
      100,
    ).map((line) => `   ${line}`),
    ...(rows.length < rows_total ? [`   … and ${rows_total - rows.length} more`] : []),
    ...overlaps.map(
      (one) => `   Overlaps with "${ADVICES[one.with].title}": at most ${groupedDecimal(one.amount)} ${currency}, ${one.why}.`,
    ),
    `   What helps: ${remedy}.`,
    `   See it: kashi query "${query}"`,
  ];
}
