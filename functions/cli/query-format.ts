/** Query results as text formats. */
import { harmlessText } from '../domain/spreadsheet-text.ts';
import type { QueryColumn, QueryResult } from '../ports.ts';

/** JSON rows: counts as numbers when a double holds them, everything exact (decimals, wide integers, timestamps) as strings. */
export function jsonRows(result: QueryResult): Record<string, string | number | boolean | null>[] {
  return result.rows.map((row) =>
    Object.fromEntries(result.columns.map((column, index) => [column.name, jsonValue(column, row[index] ?? null)])),
  );
}

function jsonValue({ type }: QueryColumn, text: string | null): string | number | boolean | null {
  if (text === null) return null;
  if (type === 'BOOLEAN') return text === 'true';
  if (/^(BIGINT|INTEGER|SMALLINT|TINYINT|HUGEINT|UBIGINT|UINTEGER)$/.test(type)) {
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : text;
  }
  return text;
}

/** RFC 4180 with a header; null is empty, an empty text is `""`. Text that a spreadsheet would run as a formula gets a leading apostrophe. */
export function csvText(result: QueryResult): string {
  const isText = result.columns.map(({ type }) => !NOT_TEXT.test(type));
  const lines = result.rows.map((row) => row.map((cell, index) => csvCell(cell, isText[index] === true)).join(','));
  return `${[result.columns.map(({ name }) => csvCell(name, true)).join(','), ...lines].join('\r\n')}\r\n`;
}

/** Types whose text no sender can choose: a minus sign there is a number's. */
const NOT_TEXT = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(.*|FLOAT|DOUBLE|BOOLEAN|DATE|TIME.*|INTERVAL)$/;

export function csvCell(cell: string | null, isText: boolean): string {
  if (cell === null) return '';
  const safe = isText ? harmlessText(cell) : cell;
  return safe === '' || /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
