/**
 * Asks kashi: each question is one run of the command, so that a notebook sees what a terminal sees, on any engine.
 *
 * KASHI_CONFIG   kashi.yaml of the centre (default: that of `npx kashi demo` at the top of the checkout)
 * KASHI_ENGINE   duckdb | athena | trino (default: duckdb)
 * KASHI_COMMAND  launch.js of the kashi to run (default: that of this checkout)
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type DataType, type Decimal, Type, tableFromIPC } from 'apache-arrow';

/** Decimals and wide integers are exact text; null is null. */
export type Cell = string | number | boolean | Date | null;
export type Row = Readonly<Record<string, Cell>>;

export interface Answer {
  /** In the order of the select. */
  readonly columns: readonly { readonly name: string; readonly numeric: boolean }[];
  readonly rows: readonly Row[];
}

const TOP = join(import.meta.dirname ?? '.', '..', '..');
const COMMAND = process.env['KASHI_COMMAND'] ?? join(TOP, 'functions', 'cli', 'launch.js');
const CONFIG = process.env['KASHI_CONFIG'] ?? join(TOP, 'kashi-demo', 'kashi.yaml');
const ENGINE = process.env['KASHI_ENGINE'] ?? 'duckdb';

/** Answers one SELECT on the views. Errors: what `kashi query` says. */
export async function query(sql: string): Promise<Answer> {
  const { schema, batches } = tableFromIPC(await kashi('query', sql, '--format', 'arrow', '--config', CONFIG, '--engine', ENGINE));
  const columns = schema.fields.map(({ name, type }) => ({ name, numeric: type.typeId === Type.Int || type.typeId === Type.Decimal }));
  const rows = batches.flatMap((batch) =>
    Array.from(
      { length: batch.numRows },
      (_, at): Row =>
        Object.fromEntries(schema.fields.map(({ name, type }, index) => [name, cell(batch.getChildAt(index)?.get(at), type)])),
    ),
  );
  return { columns, rows };
}

/** What a command of kashi prints with --json. Example: await ask('explain', '346a4dc5df353a17'). */
export async function ask<T>(...words: readonly string[]): Promise<T> {
  return JSON.parse((await kashi(...words, '--config', CONFIG, '--json')).toString()) as T;
}

/** What `kashi price gpu` or `kashi price tokens` computes from a file with these entries (JSON is YAML too). */
export async function price<T>(what: 'gpu' | 'tokens', entries: object): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-price-'));
  try {
    const file = join(folder, 'inputs.yaml');
    writeFileSync(file, JSON.stringify(entries));
    return JSON.parse((await kashi('price', what, file, '--json')).toString()) as T;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** For drawing only: a double. What is shown as a number stays text. */
export function drawn(value: Cell | undefined): number {
  return value === null || value === undefined ? Number.NaN : Number(value);
}

function kashi(...words: readonly string[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { encoding: 'buffer', maxBuffer: 512 * 1024 ** 2, env: { ...process.env, NO_COLOR: '1' } } as const;
    execFile('node', [COMMAND, ...words], options, (error, out, complaint) =>
      error === null ? resolve(out) : reject(new Error(complaint.toString().trim() || error.message)),
    );
  });
}

function cell(value: unknown, type: DataType): Cell {
  if (value === null || value === undefined) return null;
  if (type.typeId === Type.Decimal) return decimalText(value as Uint32Array, (type as Decimal).scale);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return type.typeId === Type.Timestamp ? new Date(Number(value)) : (value as Cell);
}

/** Two's complement, 32-bit words, lowest first. Example: (−1, scale 2) → '-0.01'. */
function decimalText(words: Uint32Array, scale: number): string {
  const bits = words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
  const units = BigInt.asIntN(words.length * 32, bits);
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return units < 0n ? `-${text}` : text;
}
