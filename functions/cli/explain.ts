/** `kashi explain <line-id>`: one charge line, made followable. */
import { Command } from 'commander';
import type { TextRecord } from '../billing/bill-document.ts';
import { type Explanation, explainLine } from '../billing/explain.ts';
import { type FoundLine, findClosedLine } from '../close/explain-correction.ts';
import { sumDecimals } from '../domain/money.ts';
import { defineModels } from '../warehouse/run.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { withPinned } from './closing.ts';
import { grouped, groupedDecimal, printJson, printLines, tableLines, visible } from './output.ts';
import { withSession } from './session.ts';
import { type Centre, openCentre } from './wiring.ts';

interface ExplainOptions extends CommonOptions {
  readonly period?: string;
}

export function explainCommand(): Command {
  return withCentreOptions(
    new Command('explain')
      .description('formula, price, evidence and source lines of one charge line')
      .argument('<line-id>', 'id from kashi bill')
      .option('--period <yyyy-mm>', 'its period, when known: faster'),
  )
    .addHelpText('after', '\nExample:\n  kashi explain 3f9a0c1d2e4b5a67 --period 2026-10')
    .action(async (lineId: string, options: ExplainOptions) => {
      const centre = openCentre(options);
      const found = await findClosedLine(centre.store, lineId);
      const explanation = found === null ? await explainLive(centre, lineId, options.period ?? null) : await explainClosed(centre, found);
      if (options.json === true) printJson(found === null ? explanation : { ...explanation, closed: found });
      else printLines([...(found === null ? [] : closedLineLines(found)), ...(explanation === null ? [] : explanationLines(explanation))]);
    });
}

/** From the newest snapshot: a line of a bill that is not closed. */
async function explainLive(centre: Centre, lineId: string, period: string | null): Promise<Explanation> {
  return await withSession(centre, period, async ({ warehouse, models }) => {
    await defineModels(warehouse, models, ['bill_line']);
    return await explainLine(warehouse, lineId);
  });
}

/** From what was pinned: the line, or for a correction the line that it corrects as it is rated now; null when nothing is left of that. */
async function explainClosed(centre: Centre, { period, line, correction }: FoundLine): Promise<Explanation | null> {
  return await withPinned(centre, period, correction?.charge_period ?? null, async (warehouse, models) => {
    await defineModels(warehouse, models, ['bill_line']);
    const id = correction?.corrects_line_id ?? line.line_id;
    const { rows } = await warehouse.query('select 1 from bill_line where line_id = ?', [id]);
    return rows.length === 0 ? null : await explainLine(warehouse, id);
  });
}

/** Where the line stands; for a correction, what it repairs and how everything issued adds up. */
function closedLineLines({ period, bill, line, correction }: FoundLine): string[] {
  if (correction === null) return [`On the closed bill of ${period} (SHA-256 ${bill.slice(0, 16)}…).`, ''];
  const { charge_period, corrects_line_id, cause, corrected, issued, order } = correction;
  const rows = issued.map(({ period: month, line: one }) => [
    month,
    one.line_id,
    one.cause ?? 'bill',
    one.part ?? '',
    one.quantity,
    one.unit_price,
    groupedDecimal(one.amount),
  ]);
  const total = sumDecimals(
    issued.map(({ line: one }) => one.amount),
    2,
  );
  return [
    `Correction ${line.line_id} on the closed bill of ${period} for ${line.tenant_id}: ${line.quantity} × ${line.unit_price} = ${line.amount}`,
    `It repairs line ${corrects_line_id} of ${charge_period}${corrected === null ? ', which that bill did not have' : ''}: ${CAUSES[cause] ?? cause}.`,
    ...(order === null
      ? []
      : [`Order ${order.number}, by ${order.ordered_by} on ${new Date(order.ordered_at_ms).toISOString()}: ${visible(order.reason)}`]),
    '',
    `Issued for line ${corrects_line_id} of ${charge_period}, which adds up to ${groupedDecimal(total)}:`,
    ...tableLines(['bill', 'line', 'cause', 'part', 'quantity', 'unit price', 'amount'], rows, new Set([4, 5, 6])),
    '',
    ...(corrected === null || total !== '0.00' ? [`What line ${corrects_line_id} is rated to since:`] : []),
  ];
}

const CAUSES: Readonly<Record<string, string>> = {
  late: 'data came after the month was closed',
  reparse: 'data was read again after the month was closed',
  rerate: 'the month was ordered to be rated at other prices or rules',
  capacity_fix: 'the month was ordered to be rated with another inventory',
  tenant_fix: 'the month was ordered to be rated with another tenant map',
};

export function explanationLines({
  line,
  formula,
  price,
  policy,
  evidence,
  inputs,
  inputs_total,
  sources,
  samples,
}: Explanation): string[] {
  const text = (name: string): string => line[name] ?? '';
  const what =
    line['kind'] === 'tokens' ? `${text('sku')} at ${text('site_id')}` : `${text('sku')} for ${text('workload_id')} at ${text('site_id')}`;
  return [
    `Line ${text('line_id')}: ${text('kind')} of ${text('tenant_id')} in ${text('period')}, ${what}`,
    '',
    ...formula,
    '',
    ...priceLines(line, price),
    ...(policy === null ? [] : policyLines(line, policy, evidence)),
    '',
    `Made of ${grouped(inputs_total)} ${line['kind'] === 'tokens' ? (inputs_total === 1 ? 'request' : 'requests') : inputs_total === 1 ? 'piece of an allocation' : 'pieces of allocations'}${inputs.length < inputs_total ? `, the first ${inputs.length}:` : ':'}`,
    ...inputTable(inputs),
    '',
    'Read from:',
    ...sourceTable(sources),
    ...(samples.length === 0 ? [] : ['', 'Samples behind HFU and coverage:', ...sourceTable(samples)]),
  ];
}

function priceLines(line: TextRecord, price: TextRecord | null): string[] {
  if (line['tier_no'] === '-1') return [`Price ${line['price_id']}: inside the free allowance`];
  const since = price === null ? '' : ` in force since ${new Date(Number(price['from_ms'])).toISOString()}`;
  return [
    `Price ${line['price_id']}${since}, tier ${line['tier_no']} (${price?.['tier_mode'] ?? ''}), approved by ${price?.['approved_by'] ?? 'nobody'}`,
  ];
}

function policyLines(line: TextRecord, policy: TextRecord, evidence: TextRecord | null): string[] {
  const rule =
    policy['rule'] === 'step'
      ? `HFU < ${policy['low_threshold']} → ${policy['low_factor']}; MFU > ${policy['high_threshold']} → ${policy['high_factor']}; else 1 (strict)`
      : `curve over ${policy['metric']}`;
  return [
    `Policy ${policy['policy_id']} (${policy['enforcement']}): ${rule}`,
    `Evidence: HFU ${line['hfu'] ?? 'unknown'}, MFU ${line['mfu'] ?? 'unknown'}, ${line['proxy'] === null ? '' : `busy time ${line['proxy']} in their place, `}coverage ${line['coverage'] ?? '0'} (at least ${policy['min_coverage']} needed), basis ${line['basis']}${line['formula'] === null ? '' : `, FLOPs formula ${line['formula']}`}`,
    ...(evidence === null
      ? []
      : [
          `          ${grouped(BigInt(evidence['sampled_ms'] ?? '0'))} ms sampled of ${grouped(BigInt(evidence['device_ms'] ?? '0'))} device ms; declared MFU ${evidence['mfu_declared'] ?? 'none'} (${evidence['mfu_state']})`,
        ]),
    `Decision: ${line['adjustment']}, factor ${line['policy_factor']}${line['policy_factor'] === line['factor'] ? '' : `, charged ${line['factor']}`}`,
  ];
}

function sourceTable(sources: Explanation['sources']): string[] {
  const rows = sources.map((one) => [one.object_name, one.source, grouped(one.rows), `${one.first_line}–${one.last_line}`, one.content_id]);
  return tableLines(['file', 'source', 'rows', 'lines', 'content SHA-256'], rows, new Set([2]), 80);
}

function inputTable(inputs: readonly TextRecord[]): string[] {
  const [head] = inputs;
  if (head === undefined) return ['  nothing'];
  const columns = Object.keys(head).filter((name) => inputs.some((row) => row[name] !== null));
  return tableLines(
    columns,
    inputs.map((row) => columns.map((name) => row[name] ?? '')),
    new Set(),
    48,
  );
}
