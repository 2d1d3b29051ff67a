/** A spreadsheet workbook as plain data: decided first, written by an adapter. */

export type CellStyle = 'plain' | 'title' | 'head' | 'numberHead' | 'total' | 'note' | 'warning' | 'section';
export type NumberFormat = 'money' | 'quantity' | 'price' | 'factor' | 'ratio' | 'count';

/** Numbers are decimal texts: a spreadsheet keeps 15 digits of them. A formula has no leading '='; `result` is what it gives, for readers that do not compute. */
export type CellPlan =
  | { readonly text: string; readonly style?: CellStyle }
  | { readonly number: string; readonly format: NumberFormat; readonly style?: CellStyle }
  | { readonly formula: string; readonly result: string; readonly format: NumberFormat; readonly style?: CellStyle }
  | null;

export interface SheetPlan {
  readonly name: string;
  /** Widths in characters. */
  readonly widths: readonly number[];
  readonly rows: readonly (readonly CellPlan[])[];
  /** Rows that stay in view; the last of them is repeated on every printed page and carries the filter. */
  readonly frozenRows?: number;
  /** Columns that are printed; default: all. */
  readonly printedColumns?: number;
  /** Printed on top of every page. */
  readonly banner: string;
}

export interface WorkbookPlan {
  readonly title: string;
  readonly author: string;
  /** Epoch ms: stated as its date of creation, so that equal bills are equal bytes. */
  readonly createdAtMs: number;
  readonly sheets: readonly SheetPlan[];
}

const LETTERS = 26;

/** Column letters from 0. Example: 0 → 'A', 26 → 'AA'. */
export function columnName(index: number): string {
  const letter = String.fromCharCode(65 + (index % LETTERS));
  return index < LETTERS ? letter : columnName(Math.floor(index / LETTERS) - 1) + letter;
}

/** True when a double holds every digit of the decimal text. */
export function fitsDouble(text: string): boolean {
  return text.replace(/^-?0*\.?0*|\.|0+$/g, '').length <= 15;
}
