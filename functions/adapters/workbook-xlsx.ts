/** A workbook plan as XLSX bytes. The same plan gives the same bytes. */
import { type Cell, type CellStyle, type WriteSheet, writeXlsx } from 'hucre/xlsx';
import { harmlessText } from '../domain/spreadsheet-text.ts';
import {
  type CellPlan,
  columnName,
  type NumberFormat,
  type CellStyle as PlanStyle,
  type SheetPlan,
  type WorkbookPlan,
} from '../domain/workbook.ts';

const FORMATS: Readonly<Record<NumberFormat, string>> = {
  money: '#,##0.00;[Red]-#,##0.00',
  quantity: '#,##0.000000',
  price: '#,##0.00########',
  factor: '0.00####',
  ratio: '0.0%',
  count: '#,##0',
};

const INK = '1F2A37';
const HEAD: CellStyle = {
  font: { size: 10, bold: true, color: { rgb: 'FFFFFF' } },
  fill: { type: 'pattern', pattern: 'solid', fgColor: { rgb: '2F5597' } },
  alignment: { vertical: 'center', wrapText: true },
};
const STYLES: Readonly<Record<PlanStyle, CellStyle>> = {
  plain: { font: { size: 10 }, alignment: { vertical: 'top' } },
  title: { font: { size: 16, bold: true, color: { rgb: INK } } },
  head: HEAD,
  numberHead: { ...HEAD, alignment: { ...HEAD.alignment, horizontal: 'right' } },
  total: {
    font: { size: 11, bold: true },
    fill: { type: 'pattern', pattern: 'solid', fgColor: { rgb: 'E8EEF7' } },
    border: { top: { style: 'thin' }, bottom: { style: 'double' } },
  },
  section: { font: { size: 12, bold: true, color: { rgb: '2F5597' } }, border: { bottom: { style: 'thin', color: { rgb: '2F5597' } } } },
  note: { font: { size: 9, italic: true, color: { rgb: '6B7280' } } },
  warning: { font: { size: 11, bold: true, color: { rgb: 'C00000' } } },
};

export async function xlsxBytes(plan: WorkbookPlan): Promise<Uint8Array> {
  const created = new Date(plan.createdAtMs);
  return await writeXlsx({
    properties: { title: plan.title, creator: plan.author, created, modified: created },
    defaultFont: { name: 'Calibri', size: 10 },
    sheets: plan.sheets.map(sheetOf),
  });
}

function sheetOf({ name, widths, rows, frozenRows = 0, printedColumns, banner }: SheetPlan): WriteSheet {
  const cells = new Map<string, Partial<Cell>>();
  rows.forEach((row, at) => {
    row.forEach((cell, column) => {
      if (cell !== null) cells.set(`${at},${column}`, cellOf(cell));
    });
  });
  // Text in a header of the print area is a code after '&'.
  const printed = banner.replaceAll('&', '&&');
  return {
    name,
    columns: widths.map((width) => ({ width })),
    cells,
    ...(frozenRows === 0
      ? {}
      : {
          freezePane: { rows: frozenRows },
          autoFilter: { range: `A${frozenRows}:${columnName((rows[frozenRows - 1]?.length ?? 1) - 1)}${rows.length}` },
        }),
    pageSetup: {
      paperSize: 'a4',
      orientation: 'landscape',
      fitToPage: true,
      fitToWidth: 1,
      fitToHeight: 0,
      ...(printedColumns === undefined ? {} : { printArea: `$A$1:$${columnName(printedColumns - 1)}$${rows.length}` }),
      ...(frozenRows === 0 ? {} : { printTitlesRow: `$${frozenRows}:$${frozenRows}` }),
    },
    headerFooter: { oddHeader: `&C${printed}`, oddFooter: '&C&P / &N' },
  };
}

function cellOf(cell: NonNullable<CellPlan>): Partial<Cell> {
  const style = STYLES[cell.style ?? 'plain'];
  if ('text' in cell) return { type: 'string', value: harmlessText(cell.text), style };
  const formatted = { ...style, numFmt: FORMATS[cell.format] };
  if ('number' in cell) return { type: 'number', value: Number(cell.number), style: formatted };
  return { type: 'formula', value: null, formula: cell.formula, formulaResult: Number(cell.result), style: formatted };
}
