/** A statement as a workbook: a summary, the lines with formulas that recompute them, and the evidence. */
import type { BillLine } from '../billing/bill-document.ts';
import { Rational } from '../domain/money.ts';
import {
  type CellPlan,
  type CellStyle,
  columnName,
  fitsDouble,
  type NumberFormat,
  type SheetPlan,
  type WorkbookPlan,
} from '../domain/workbook.ts';
import { evidenceSections } from './evidence-sections.ts';
import { lineText, type Words } from './line-text.ts';
import type { Statement } from './statement.ts';
import { bridgeOf } from './summary.ts';

const text = (value: string, style: CellStyle = 'plain'): CellPlan => ({
  text: value,
  style,
});
const number = (value: string, format: NumberFormat): CellPlan => ({ number: value, format });

/** Sheets: summary, lines, evidence. Every amount is a formula; beside it stands what the bill says, and the difference, which must be 0. */
export function workbookOf(statement: Statement, words: Words): WorkbookPlan {
  const { own } = words;
  const title = titleOf(statement, words);
  const banner = statement.state === 'estimate' ? own.watermark : title;
  const linesName = sheetName(own.lines, statement, words);
  return {
    title,
    author: statement.centre,
    createdAtMs: statement.proof?.pinnedAtMs ?? statement.endMs,
    sheets: [
      { ...summarySheet(statement, words, linesName), name: sheetName(own.summary, statement, words), banner },
      { ...linesSheet(statement, words), name: linesName, banner },
      { ...evidenceSheet(statement, words), name: sheetName(own.evidence, statement, words), banner },
    ],
  };
}

/** Example: '账单 2026-10 · ads'. */
export function titleOf({ state, period, tenant }: Statement, { own }: Words): string {
  return `${own.title[state]} ${period} · ${tenant?.name ?? own.wholeCentre}`;
}

/** An estimate says so in the name of every sheet. */
function sheetName(name: string, { state }: Statement, { own }: Words): string {
  return state === 'estimate' ? `${name} (${own.title.estimate})` : name;
}

function headRows(statement: Statement, words: Words): CellPlan[][] {
  const { own } = words;
  const warning = statement.state === 'estimate' ? `${own.watermark} · ${own.estimateNote}` : '';
  return [[text(titleOf(statement, words), 'title')], [warning === '' ? text(statement.centre, 'note') : text(warning, 'warning')]];
}

const COLUMNS = { tenant: 0, kind: 2, quantity: 6, list: 8, factor: 9, unit: 10, amount: 11, stated: 12, difference: 13 } as const;
/** Quantity, prices and amounts; HFU, MFU and coverage. */
const NUMBER_COLUMNS: ReadonlySet<number> = new Set([6, 8, 9, 10, 11, 12, 13, 15, 16, 17]);
const HEAD_ROWS = 4;

function linesSheet(statement: Statement, words: Words): Omit<SheetPlan, 'name' | 'banner'> {
  const { base, own } = words;
  const lines = statement.bills.flatMap(({ tenant_id, lines: its }) => its.map((line) => ({ tenant_id, line })));
  const last = HEAD_ROWS + Math.max(1, lines.length);
  const total = (column: number, result: string): CellPlan => {
    const letter = columnName(column);
    return { formula: `SUM(${letter}${HEAD_ROWS + 1}:${letter}${last})`, result, format: 'money', style: 'total' };
  };
  const totals: CellPlan[] = Array.from({ length: COLUMNS.amount }, (_, column) =>
    column === 0 ? text(base.total, 'total') : text('', 'total'),
  );
  const heads = [
    base.tenant,
    own.line,
    own.kind,
    base.site,
    own.item,
    base.workload,
    base.quantity,
    own.unit,
    base.listPrice,
    base.factor,
    base.unitPrice,
    base.amount,
    own.issuedAmount,
    own.difference,
    base.exactAmount,
    'HFU',
    'MFU',
    base.coverage,
    own.note,
    own.priceId,
    base.adjustment,
    own.correctedPeriod,
    own.correctedLine,
    own.asText(base.quantity),
    own.asText(base.listPrice),
  ];
  return {
    widths: [16, 18, 12, 12, 26, 30, 15, 14, 15, 9, 15, 14, 14, 10, 24, 9, 9, 9, 26, 18, 16, 12, 18, 20, 20],
    frozenRows: HEAD_ROWS,
    printedColumns: COLUMNS.difference + 1,
    rows: [
      ...headRows(statement, words),
      [...totals, total(COLUMNS.amount, statement.total), total(COLUMNS.stated, statement.total), total(COLUMNS.difference, '0')],
      heads.map((head, column) => text(head, NUMBER_COLUMNS.has(column) ? 'numberHead' : 'head')),
      ...lines.map(({ tenant_id, line }, index) => lineRow(tenant_id, line, HEAD_ROWS + 1 + index, words)),
    ],
  };
}

function lineRow(tenant: string, line: BillLine, row: number, words: Words): CellPlan[] {
  const shown = lineText(line, words);
  const at = (column: number): string => `${columnName(column)}${row}`;
  const ratio = (value: string | null): CellPlan => (value === null ? null : number(value, 'ratio'));
  // A correction may sum up lines that were each rounded: what that leaves is added in sight.
  const carried = Rational.of(line.amount).subtract(Rational.of(Rational.of(line.exact_amount).toFixed(2)));
  const rounded = `ROUND(${at(COLUMNS.quantity)}*${at(COLUMNS.unit)},2)`;
  const amount = carried.n === 0n ? rounded : `${rounded}+(${carried.toFixed(2)})`;
  const exactly = (value: string): CellPlan => (fitsDouble(value) ? null : text(value));
  return [
    text(tenant),
    text(line.line_id),
    text(shown.kind),
    text(shown.site),
    text(shown.item),
    text(shown.of),
    number(line.quantity, 'quantity'),
    text(shown.unit),
    number(line.list_unit_price, 'price'),
    number(line.factor, 'factor'),
    { formula: `ROUND(${at(COLUMNS.list)}*${at(COLUMNS.factor)},10)`, result: line.unit_price, format: 'price' },
    { formula: amount, result: line.amount, format: 'money' },
    number(line.amount, 'money'),
    { formula: `ROUND(${at(COLUMNS.amount)}-${at(COLUMNS.stated)},2)`, result: '0', format: 'money' },
    text(line.exact_amount),
    ratio(line.hfu),
    ratio(line.mfu),
    ratio(line.coverage),
    text(shown.note),
    text(line.price_id),
    text(line.policy_id ?? line.rule_id ?? ''),
    text(line.charge_period ?? ''),
    text(line.corrects_line_id ?? ''),
    exactly(line.quantity),
    exactly(line.list_unit_price),
  ];
}

function summarySheet(statement: Statement, words: Words, linesName: string): Omit<SheetPlan, 'name' | 'banner'> {
  const { base, own } = words;
  const count = Math.max(
    1,
    statement.bills.reduce((sum, { lines }) => sum + lines.length, 0),
  );
  const range = (column: number): string =>
    `'${linesName}'!$${columnName(column)}$${HEAD_ROWS + 1}:$${columnName(column)}$${HEAD_ROWS + count}`;
  const bridge = bridgeOf(statement);
  const kindIs = (kind: 'credit' | 'correction'): string => `(${range(COLUMNS.kind)}="${base.kind[kind].replaceAll('"', '""')}")`;
  const charged = `(1-${kindIs('credit')})*(1-${kindIs('correction')})*${range(COLUMNS.quantity)}`;
  const first = 10 + statement.bills.length;
  const row = (label: string, formula: string, result: string, style: 'plain' | 'total' = 'plain'): CellPlan[] => [
    text(label, style),
    { formula, result, format: 'money', style },
  ];
  const sum = (part: string): string => `SUMPRODUCT(${part})`;
  return {
    widths: [34, 18, 14, 24],
    rows: [
      ...headRows(statement, words),
      [text(`${own.period} ${statement.period} (${statement.timeZone})`), text(statement.currency)],
      [],
      [text(own.byTenant, 'section'), text('', 'section'), text('', 'section')],
      [text(base.tenant, 'head'), text(base.amount, 'numberHead'), text(own.lines, 'numberHead'), text(own.tenantName, 'head')],
      ...statement.bills.map((bill, index): CellPlan[] => {
        const mine = `EXACT(${range(COLUMNS.tenant)},$A$${7 + index})`;
        return [
          text(bill.tenant_id),
          { formula: sum(`${mine}*${range(COLUMNS.amount)}`), result: bill.total, format: 'money' },
          { formula: sum(`${mine}*1`), result: String(bill.lines.length), format: 'count' },
          text(bill.name),
        ];
      }),
      [
        text(base.total, 'total'),
        {
          formula: statement.bills.length === 0 ? '0' : `SUM(B7:B${6 + statement.bills.length})`,
          result: statement.total,
          format: 'money',
          style: 'total',
        },
        text('', 'total'),
        text('', 'total'),
      ],
      [],
      [text(own.summary, 'section'), text('', 'section'), text('', 'section')],
      row(own.listAmount, `ROUND(${sum(`${charged}*${range(COLUMNS.list)}`)},2)`, bridge.atList),
      row(base.adjustment, `ROUND(${sum(`${charged}*${range(COLUMNS.unit)}`)},2)-B${first}`, bridge.adjustment),
      row(own.credits, sum(`${kindIs('credit')}*${range(COLUMNS.amount)}`), bridge.credits),
      row(own.corrections, sum(`${kindIs('correction')}*${range(COLUMNS.amount)}`), bridge.corrections),
      row(own.rounding, `ROUND(B${first + 5}-SUM(B${first}:B${first + 3}),2)`, bridge.rounding),
      row(own.amountDue[statement.state], `SUM(${range(COLUMNS.amount)})`, statement.total, 'total'),
      [],
      [text(own.formulaNote, 'note')],
    ],
  };
}

function evidenceSheet(statement: Statement, words: Words): Omit<SheetPlan, 'name' | 'banner'> {
  const rows = evidenceSections(statement, words).flatMap(({ key, title, head, rows: its }): CellPlan[][] => [
    [text(title, 'section'), ...head.slice(1).map(() => text('', 'section'))],
    ...(key !== 'proof' ? [head.map((cell) => text(cell, 'head'))] : []),
    ...its.map((row) => row.map((cell) => text(cell))),
    [],
  ]);
  return { widths: [34, 44, 18, 22, 22, 18, 32, 40], rows: [...headRows(statement, words), [], ...rows] };
}
