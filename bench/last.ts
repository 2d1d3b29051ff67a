/** What was last recorded, in bench/last.json: the next run of the same case says by how much it differs. Ratios only; seconds belong to a machine. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('./last.json', import.meta.url));

/** Case and size → ratio by name. */
type Ratios = Readonly<Record<string, number>>;

function readAll(): Record<string, Ratios> {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, Ratios>) : {};
}

/** Null: this case was never recorded at this size. */
export function lastRecorded(name: string): Ratios | null {
  return readAll()[name] ?? null;
}

export function recordLast(name: string, ratios: Ratios): void {
  const all = { ...readAll(), [name]: ratios };
  const sorted = Object.fromEntries(Object.entries(all).sort(([left], [right]) => (left < right ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify(sorted, null, 2)}\n`);
}

/** One line a ratio. Example: 'kashi ÷ bare DuckDB by CPU: 1.32, last 1.25 (6 % more)' */
export function comparisonLines(name: string, ratios: Ratios): string[] {
  const last = lastRecorded(name);
  if (last === null) return [`nothing was recorded for ${name}`];
  return Object.entries(ratios).map(([what, ratio]) => {
    const before = last[what];
    if (before === undefined) return `${what}: ${ratio.toFixed(2)}, not recorded`;
    const percent = Math.round((ratio / before - 1) * 100);
    const change = percent === 0 ? 'the same' : `${Math.abs(percent)} % ${percent > 0 ? 'more' : 'less'}`;
    return `${what}: ${ratio.toFixed(2)}, last ${before.toFixed(2)} (${change})`;
  });
}
