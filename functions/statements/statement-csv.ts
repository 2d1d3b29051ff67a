/** A statement as CSV for a spreadsheet: one row a charge line, heads and words in the reader's language. */
import { csvTextCell } from '../domain/spreadsheet-text.ts';
import { lineText, type Words } from './line-text.ts';
import type { Statement } from './statement.ts';

/** Tells spreadsheets that the text is UTF-8; without it, Chinese opens as noise. */
const BYTE_ORDER_MARK = '\ufeff';

/**
 * RFC 4180, UTF-8 with byte order mark. Numbers keep all their digits and no grouping; text that would run as a formula is made harmless.
 * No total row, so that a column can be summed; the first column of every row says bill or estimate.
 */
export function statementCsv(statement: Statement, words: Words): string {
  const { base, own } = words;
  const head = [
    own.state,
    own.period,
    base.tenant,
    own.line,
    own.kind,
    base.site,
    own.item,
    base.workload,
    own.band,
    base.quantity,
    own.unit,
    base.listPrice,
    base.factor,
    base.unitPrice,
    base.exactAmount,
    base.amount,
    own.currency,
    'HFU',
    'MFU',
    base.coverage,
    own.note,
    own.priceId,
    own.correctedPeriod,
    own.correctedLine,
  ];
  const rows = statement.bills.flatMap((bill) =>
    bill.lines.map((line) => {
      const shown = lineText(line, words);
      const text = [
        own.stateText[statement.state],
        statement.period,
        bill.tenant_id,
        line.line_id,
        shown.kind,
        shown.site,
        shown.item,
        shown.of,
        shown.band,
      ];
      const numbers = [line.list_unit_price, line.factor, line.unit_price, line.exact_amount, line.amount];
      const ratios = [line.hfu ?? '', line.mfu ?? '', line.coverage ?? ''];
      const last = [shown.note, line.price_id, line.charge_period ?? '', line.corrects_line_id ?? ''];
      return [
        ...text.map(csvTextCell),
        line.quantity,
        csvTextCell(shown.unit),
        ...numbers,
        statement.currency,
        ...ratios,
        ...last.map(csvTextCell),
      ];
    }),
  );
  return `${BYTE_ORDER_MARK}${[head.map(csvTextCell), ...rows].map((cells) => cells.join(',')).join('\r\n')}\r\n`;
}
