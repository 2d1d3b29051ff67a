/** Query results as an Arrow IPC stream: the hand-over to notebooks and reports. Decimals stay decimals, int64 stays int64. */
import { Bool, type DataType, Decimal, Int64, makeBuilder, Table, TimestampMillisecond, tableToIPC, Utf8, type Vector } from 'apache-arrow';
import type { QueryColumn, QueryResult } from '../ports.ts';

/** Bytes of one Arrow stream holding one table. Types: BIGINT → int64, DECIMAL(p,s) → decimal128, TIMESTAMP → timestamp[ms], BOOLEAN → bool, all else utf8. */
export function arrowStream(result: QueryResult): Uint8Array {
  const vectors: Record<string, Vector> = {};
  result.columns.forEach((column, index) => {
    vectors[column.name] = columnVector(
      column,
      result.rows.map((row) => row[index] ?? null),
    );
  });
  return tableToIPC(new Table(vectors), 'stream');
}

function columnVector({ type }: QueryColumn, cells: readonly (string | null)[]): Vector {
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type);
  if (decimal !== null) {
    const scale = Number(decimal[2]);
    return build(new Decimal(scale, Number(decimal[1]), 128), cells, (text) => decimalWords(text, scale));
  }
  if (type === 'BIGINT' || type === 'INTEGER') return build(new Int64(), cells, BigInt);
  if (type === 'BOOLEAN') return build(new Bool(), cells, (text) => text === 'true');
  if (type.startsWith('TIMESTAMP')) return build(new TimestampMillisecond(), cells, (text) => Date.parse(`${text.replace(' ', 'T')}Z`));
  return build(new Utf8(), cells, (text) => text);
}

function build<T extends DataType>(type: T, cells: readonly (string | null)[], value: (text: string) => T['TValue']): Vector {
  const builder = makeBuilder({ type, nullValues: [null] });
  for (const cell of cells) builder.append(cell === null ? null : value(cell));
  return builder.finish().toVector();
}

/** Two's complement, four 32-bit words, lowest first. Example: ('-0.01', 2) → −1. */
function decimalWords(text: string, scale: number): Uint32Array {
  const [whole = '0', fraction = ''] = text.split('.');
  const digits = BigInt(`${whole}${fraction.padEnd(scale, '0')}`);
  const bits = BigInt.asUintN(128, digits);
  return Uint32Array.from([0n, 32n, 64n, 96n], (shift) => Number((bits >> shift) & 0xffffffffn));
}
