/** Figures whose columns are days or months, and how long releases took. */
import type { TextRecord } from '../billing/bill-document.ts';
import { groupedDecimal, Rational, sumDecimals } from '../domain/money.ts';
import { COLOURS, type Series, type StackedBar, stackedBars, stackedColumns } from '../page/charts.ts';
import { type Html, html, htmlTable } from '../page/html.ts';
import type { DrawContext } from './draw.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Bars of lead times that are drawn, newest first; the table and the file have all of them. */
const SHOWN_ROLLOUTS = 30;

type NameOf = (row: TextRecord) => string;

const text = (row: TextRecord, name: string): string => row[name] ?? '';
const value = (row: TextRecord, name: string): number => Number(row[name] ?? 0);

export function shortAmount(amount: number): string {
  return amount >= 1e6 ? `${amount / 1e6}M` : amount >= 1e4 ? `${amount / 1e3}k` : String(Math.round(amount * 100) / 100);
}

/** Each line's amount, spread by what was used of it each day. */
export function overDays(rows: readonly TextRecord[], nameOf: NameOf, { days, words }: DrawContext, title: string): Html | null {
  const series = seriesOf(rows, nameOf, days.length, (row) => [
    value(row, 'day_ms') / DAY_MS,
    (value(row, 'amount') * value(row, 'used_that_day')) / value(row, 'used_in_month'),
  ]);
  return rows.length === 0 ? null : stackedColumns(`${title}, ${words.own.overTime}`, days, series, shortAmount);
}

/** One column a month, and the same as a table. */
export function overMonths(rows: readonly TextRecord[], nameOf: NameOf, { words }: DrawContext, title: string): Html | null {
  if (rows.length === 0) return null;
  const months = [...new Set(rows.map((row) => text(row, 'period')))].sort();
  const series = seriesOf(rows, nameOf, months.length, (row) => [months.indexOf(text(row, 'period')), value(row, 'amount')]);
  const sumOf = (of: readonly TextRecord[]): string =>
    sumDecimals(
      of.map((row) => text(row, 'amount')),
      2,
    );
  const sum = (of: readonly TextRecord[]): string => groupedDecimal(sumOf(of));
  const names = [...new Set(rows.map(nameOf))].map((name) => ({ name, all: sumOf(rows.filter((row) => nameOf(row) === name)) }));
  const cells = names
    .sort((one, other) => Rational.of(other.all).subtract(Rational.of(one.all)).toNumber())
    .map(({ name }) => [name, ...months.map((month) => sum(rows.filter((row) => nameOf(row) === name && text(row, 'period') === month)))]);
  const foot = ['', ...months.map((month) => sum(rows.filter((row) => text(row, 'period') === month)))];
  const right = new Set(months.map((_, at) => at + 1));
  return html`${stackedColumns(`${title}, ${words.own.overMonths}`, months, series, shortAmount)}${htmlTable(['', ...months], cells, right, foot)}`;
}

/** The largest as series of their own, the rest as one. `place`: column and height of a row. */
function seriesOf(
  rows: readonly TextRecord[],
  nameOf: NameOf,
  columns: number,
  place: (row: TextRecord) => readonly [number, number],
): readonly Series[] {
  const byName = new Map<string, number[]>();
  for (const row of rows) {
    const values = byName.get(nameOf(row)) ?? Array.from({ length: columns }, () => 0);
    const [column, height] = place(row);
    values[column] = (values[column] ?? 0) + height;
    byName.set(nameOf(row), values);
  }
  const total = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0);
  const sorted = [...byName].sort(([, a], [, b]) => total(b) - total(a)).map(([name, values]): Series => ({ name, values }));
  if (sorted.length <= COLOURS) return sorted;
  const rest = sorted.slice(COLOURS - 1);
  const other = Array.from({ length: columns }, (_, column) => total(rest.map(({ values }) => values[column] ?? 0)));
  return [...sorted.slice(0, COLOURS - 1), { name: `+ ${rest.length}`, values: other }];
}

/** Instants at which one part of the way ends and the next begins, and what the part is. */
const WAY = [
  ['promoted_ms', 'replicated_ms', 'replicate'],
  ['replicated_ms', 'verified_ms', 'prove'],
  ['verified_ms', 'committed_ms', 'wait'],
  ['committed_ms', 'live_ms', 'roll_out'],
] as const;

/** An instant that was not seen is that of the step before: what was there already took no time to copy. */
export function leadTimes(rows: readonly TextRecord[], { words: { own } }: DrawContext): Html | null {
  if (rows.length === 0) return null;
  const took = rows.map((row) => {
    let from = value(row, 'promoted_ms');
    const parts = WAY.map(([, to]) => {
      const until = Math.max(from, row[to] === null ? from : value(row, to));
      const part = until - from;
      from = until;
      return part;
    });
    const isLive = row['live_ms'] !== null;
    const total = isLive ? durationText(value(row, 'live_ms') - value(row, 'promoted_ms')) : own.notLive;
    return { row, parts, total };
  });
  const bars = took
    .slice(-SHOWN_ROLLOUTS)
    .reverse()
    .map(
      ({ row, parts, total }): StackedBar => ({ label: `${versionText(row, own.rollback)} ${text(row, 'edge_id')}`, parts, text: total }),
    );
  const cells = took.map(({ row, parts, total }) => [
    versionText(row, own.rollback),
    text(row, 'edge_id'),
    ...parts.map(durationText),
    total,
    groupedDecimal(
      Rational.of(text(row, 'bytes_moved') || '0')
        .divide(Rational.of('1048576'))
        .toFixed(1),
    ),
  ]);
  const parts = WAY.map(([, , part]) => own.leadParts[part]);
  const head = [own.release, own.edge, ...parts, own.total, own.moved];
  return html`${stackedBars(own.figure.lead_time.title, parts, bars)}${htmlTable(head, cells, new Set([2, 3, 4, 5, 6, 7]))}`;
}

function versionText(row: TextRecord, rollback: string): string {
  return `${text(row, 'service')} ${text(row, 'model_version')}${row['kind'] === 'rollback' ? ` (${rollback})` : ''}`;
}

/** Example: 0 → '0 s', 59_400 → '59 s', 95_000 → '1:35', 7_200_000 → '2:00:00'. */
function durationText(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.round(ms / 1_000)} s`;
  const seconds = Math.round(ms / 1_000);
  const two = (count: number): string => String(count).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
