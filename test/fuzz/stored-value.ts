/** What may stand in a stored column: its type, its range, and for counts an integer that the input shows. */
import assert from 'node:assert/strict';
import type { Column, Dataset } from '../../functions/datasets.ts';
import type { StoredRow } from '../../functions/ports.ts';

const ORIGIN = new Set(['source', 'object_id', 'line']);
const MIN_INSTANT_MS = Date.UTC(2000, 0, 1);
const MAX_INSTANT_MS = Date.UTC(2100, 0, 1);
const LONGEST_TEXT = 64 * 1024;
const WORDS: Readonly<Record<string, readonly string[]>> = {
  usage_source: ['provider', 'gateway_estimate', 'absent'],
  status: ['success', 'failure', 'cache_hit', 'not_billable'],
  end_kind: ['observed', 'inferred'],
  fault: ['node_lost', 'preempted'],
  precision: ['bf16', 'fp16', 'fp8', 'fp32', 'tf32'],
};

export function checkRow({ name, columns }: Dataset, row: StoredRow): void {
  for (const key of Object.keys(row))
    assert.ok(
      columns.some((column) => column.name === key && !ORIGIN.has(key)),
      `${name}.${key} is no column a source sets`,
    );
  for (const column of columns) {
    if (ORIGIN.has(column.name)) continue;
    const value = row[column.name] ?? null;
    if (value === null) assert.equal(column.nullable, true, `${name}.${column.name} must not be null`);
    else checkValue(`${name}.${column.name}`, column, value);
  }
  if (name === 'token_usage') checkTokens(row);
}

function checkValue(where: string, column: Column, value: string | number | bigint): void {
  const shown = (): string => `${where}: ${typeof value} ${String(value).slice(0, 60)}`;
  if (column.type === 'VARCHAR') {
    assert.equal(typeof value, 'string', shown());
    const text = String(value);
    assert.ok(text.length <= LONGEST_TEXT && text.isWellFormed(), shown());
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
    assert.doesNotMatch(text, /[\u0000-\u001f\u007f]/, shown());
    const words = WORDS[column.name];
    if (words !== undefined) assert.ok(words.includes(text), shown());
  } else if (column.type === 'BIGINT') {
    assert.ok(typeof value === 'bigint' || Number.isSafeInteger(Number(value)), shown());
    assert.match(String(value), /^-?\d+$/, shown());
    const n = BigInt(value);
    assert.ok(n >= 0n && n < 2n ** 63n, shown());
    if (column.unit === 'epoch ms UTC') assert.ok(n >= MIN_INSTANT_MS && n < MAX_INSTANT_MS, shown());
    if (column.unit === 'tokens') assert.ok(n < 2n ** 53n, shown());
  } else checkDecimal(column, String(value), shown);
}

function checkDecimal({ type, unit }: Column, text: string, shown: () => string): void {
  const [, precision = '0', scale = '0'] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  const match = /^-?(\d+)(?:\.(\d+))?$/.exec(text);
  assert.ok(match !== null, shown());
  const [, whole = '', fraction = ''] = match;
  assert.ok(whole.replace(/^0+/, '').length <= Number(precision) - Number(scale) && fraction.length <= Number(scale), shown());
  assert.ok(!text.startsWith('-'), shown());
  if (unit === 'ratio 0–1') assert.ok(Number(text) <= 1, shown());
  if (unit === '% 0–100') assert.ok(Number(text) <= 100, shown());
}

const CLASSES = ['input_uncached_tokens', 'input_cache_read_tokens', 'input_cache_write_tokens', 'output_tokens'] as const;

function checkTokens(row: StoredRow): void {
  const counted = CLASSES.filter((name) => (row[name] ?? null) !== null).length;
  if (row['usage_source'] === 'absent') assert.equal(counted, 0, 'absent usage has counts');
  if ((row['reasoning_tokens'] ?? null) !== null)
    assert.ok(Number(row['reasoning_tokens']) <= Number(row['output_tokens']), 'more reasoning than output');
}

const NUMBER = /-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?/g;

/** Exact integers among the number texts of some input, wherever they stand. */
export function integersIn(text: string): Set<bigint> {
  const found = new Set<bigint>([0n]);
  for (const [number] of text.matchAll(NUMBER)) {
    const [mantissa = '', exponentText = '0'] = number.split(/[eE]/);
    const [whole = '', fraction = ''] = mantissa.split('.');
    const exponent = Number(exponentText) - fraction.length;
    if (Math.abs(exponent) > 60) continue;
    const digits = BigInt(whole + fraction);
    const divisor = 10n ** BigInt(Math.max(0, -exponent));
    if (digits % divisor === 0n) found.add((digits / divisor) * 10n ** BigInt(Math.max(0, exponent)));
  }
  return found;
}

/** A count is an integer of the input, or the difference or sum that SPEC 3 makes of two or three of them; nothing rounded, nothing guessed. */
export function checkCounts(row: StoredRow, integers: ReadonlySet<bigint>, addsToInput: boolean): void {
  const count = (name: string): bigint => BigInt(row[name] ?? 0);
  const shown = (name: string): string => `token_usage.${name} ${count(name)} is not made of integers of the input`;
  for (const name of ['input_cache_read_tokens', 'reasoning_tokens']) assert.ok(integers.has(count(name)), shown(name));
  // Gemini counts its thoughts beside the answer.
  const output = count('output_tokens');
  assert.ok(integers.has(output) || integers.has(output - count('reasoning_tokens')), shown('output_tokens'));
  const write = count('input_cache_write_tokens');
  assert.ok(integers.has(write) || isSumOfTwo(write, integers), shown('input_cache_write_tokens'));
  const uncached = count('input_uncached_tokens');
  const input = uncached + count('input_cache_read_tokens') + write;
  assert.ok(integers.has(uncached) || integers.has(input) || (addsToInput && isSumOfTwo(input, integers)), shown('input_uncached_tokens'));
}

function isSumOfTwo(n: bigint, integers: ReadonlySet<bigint>): boolean {
  for (const one of integers) if (one <= n && integers.has(n - one)) return true;
  return false;
}
