/** Figures from the answers of their questions. Bars and shades are for the eye; the texts beside them are the numbers of the answer. */
import type { TextRecord } from '../billing/bill-document.ts';
import { groupedDecimal, Rational, sumDecimals } from '../domain/money.ts';
import type { Wording } from '../domain/wording.ts';
import type { FigureName, ReportWording } from '../domain/wording-report.ts';
import { type Bar, barChart, heatMap, type Series, stackedColumns } from '../page/charts.ts';
import { type Html, html, htmlTable } from '../page/html.ts';
import { leadTimes, overDays, overMonths, shortAmount } from './draw-over-time.ts';

export interface ReportWords {
  readonly base: Wording;
  readonly own: ReportWording;
}

export interface DrawContext {
  readonly words: ReportWords;
  /** Label of each day of the month: '1', '2', … */
  readonly days: readonly string[];
  /** Advice name → title and remedy, in English. */
  readonly advices: Readonly<Record<string, { readonly title: string; readonly remedy: string }>>;
  readonly tenantName: (id: string) => string;
}

type Draw = (rows: readonly TextRecord[], context: DrawContext) => Html | null;

const text = (row: TextRecord, name: string): string => row[name] ?? '';
const value = (row: TextRecord, name: string): number => Number(row[name] ?? 0);
const money = (amount: string): string => groupedDecimal(Rational.of(amount).toFixed(2));
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

const PARTS = ['charged_cost', 'own_cost', 'unbilled_cost', 'idle_cost', 'maintenance_cost', 'lost_cost'] as const;

export const DRAW: Readonly<Record<FigureName, Draw>> = {
  recovery: (rows, { words }) => {
    const { own } = words;
    const known = rows.filter((row) => row['asset_cost'] !== null);
    if (known.length === 0) return null;
    const sum = (name: string): string =>
      sumDecimals(
        known.map((row) => text(row, name)),
        2,
      );
    const bars = [...PARTS, 'rounding_cost']
      .map((part, index): Bar => ({ label: own.part[part] ?? part, value: Number(sum(part)), text: money(sum(part)), colour: index }))
      .filter(({ value: amount }) => amount !== 0);
    const head = [own.pool, own.assetCost, ...PARTS.map((part) => own.part[part] ?? part), own.utilisation];
    const cells = known.map((row) => [
      `${text(row, 'site_id')} ${text(row, 'accelerator_model')}`,
      ...['asset_cost', ...PARTS].map((part) => money(text(row, part))),
      percent(value(row, 'allocated_hours') / (value(row, 'capacity_hours') || 1)),
    ]);
    const foot = ['', ...['asset_cost', ...PARTS].map((part) => money(sum(part))), ''];
    return html`${barChart(own.figure.recovery.title, bars)}${htmlTable(head, cells, new Set([1, 2, 3, 4, 5, 6, 7, 8]), foot)}`;
  },
  tenants: (rows, { words, tenantName }) => amounts(rows, (row) => tenantName(text(row, 'tenant_id')), words.own.figure.tenants.title),
  products: (rows, { words }) => amounts(rows, (row) => text(row, 'product'), words.own.figure.products.title),
  tenant_months: (rows, context) =>
    overMonths(rows, (row) => context.tenantName(text(row, 'tenant_id')), context, context.words.own.figure.tenant_months.title),
  product_months: (rows, context) =>
    overMonths(rows, (row) => text(row, 'product'), context, context.words.own.figure.product_months.title),
  tenant_days: (rows, context) =>
    overDays(rows, (row) => context.tenantName(text(row, 'tenant_id')), context, context.words.own.figure.tenant_days.title),
  product_days: (rows, context) => overDays(rows, (row) => text(row, 'product'), context, context.words.own.figure.product_days.title),
  efficiency: (rows, { words }) => {
    const buckets = Array.from({ length: 10 }, (_, at) => `${at * 10}–${at * 10 + 10}`);
    const series = (['hfu', 'mfu'] as const).map((metric): Series => {
      const values = buckets.map(() => 0);
      for (const row of rows)
        if (row[metric] !== null) values[Math.min(9, Math.floor(value(row, metric) * 10))]! += value(row, 'device_ms') / 3_600_000;
      return { name: metric.toUpperCase(), values };
    });
    if (rows.every((row) => row['hfu'] === null && row['mfu'] === null)) return null;
    const charts = series.map(
      ({ name, values }) => html`<h3>${name}</h3>${stackedColumns(name, buckets, [{ name, values }], (hours) => shortAmount(hours))}`,
    );
    return html`<p class="soft small">${words.own.gpuHours} / %</p>${charts}`;
  },
  idle: (rows, { words, days }) => idleHours(rows, words, days.length),
  tokens: (rows, { words }) => {
    if (rows.length === 0) return null;
    const classes = ['input_uncached', 'input_cache_read', 'input_cache_write', 'output'];
    const labels = rows.map((row) => text(row, 'model'));
    const series = classes.map(
      (name): Series => ({ name: words.base.meter[name] ?? name, values: rows.map((row) => value(row, name) / 1e6) }),
    );
    const cells = rows.map((row) => [text(row, 'model'), ...classes.map((name) => groupedDecimal(text(row, name) || '0'))]);
    const head = [words.own.model, ...series.map(({ name }) => name)];
    return html`${stackedColumns(words.own.figure.tokens.title, labels, series, shortAmount)}${htmlTable(head, cells, new Set([1, 2, 3, 4]))}`;
  },
  adjustment: (rows, { words, tenantName }) => {
    const changed = rows.filter((row) => Rational.of(text(row, 'effect')).n !== 0n);
    if (changed.length === 0) return null;
    const bars = changed.map((row): Bar => {
      const decision = (words.base.decision[text(row, 'adjustment') as keyof Wording['decision']] ?? '')
        .replace(/[（(].*|^利用率/g, '')
        .trim();
      const effect = Rational.of(text(row, 'effect'));
      return {
        label: `${tenantName(text(row, 'tenant_id'))} ${decision}`,
        value: effect.toNumber(),
        text: money(text(row, 'effect')),
        colour: effect.n > 0n ? 1 : 2,
      };
    });
    return barChart(words.own.figure.adjustment.title, bars);
  },
  advice: (rows, { words, advices }) => {
    const { own } = words;
    if (rows.length === 0) return null;
    const titled = rows.map((row) => ({
      row,
      title: own.advice[text(row, 'advice')] ?? advices[text(row, 'advice')]?.title ?? text(row, 'advice'),
    }));
    const bars = titled.map(
      ({ row, title }): Bar => ({
        label: title,
        value: value(row, 'amount'),
        text: money(text(row, 'amount')),
        colour: row['basis'] === 'price' ? 1 : 0,
      }),
    );
    const cells = titled.map(({ row, title }) => [
      title,
      money(text(row, 'amount')),
      own.basis[text(row, 'basis') as 'cost'] ?? '',
      text(row, 'rows_total'),
    ]);
    return html`${barChart(own.figure.advice.title, bars)}${htmlTable(['', own.saving, '', own.rows], cells, new Set([1, 3]))}`;
  },
  releases: (rows, { words }) => {
    const { own } = words;
    if (rows.length === 0) return null;
    const cells = rows.map((row) => {
      const [income, cost] = [row['income'] ?? '0', row['serving_cost'] ?? null];
      const margin = cost === null ? own.unknown : money(Rational.of(income).subtract(Rational.of(cost)).toFixed(2));
      return [
        text(row, 'release_id') || own.noRelease,
        text(row, 'model'),
        text(row, 'site_id'),
        groupedDecimal(text(row, 'million_tokens') || '0'),
        money(income),
        groupedDecimal(text(row, 'serving_hours') || '0'),
        cost === null ? own.unknown : money(cost),
        margin,
      ];
    });
    return htmlTable(
      [own.release, own.model, own.site, own.millionTokens, own.incomeOf, own.gpuHours, own.servingCost, own.margin],
      cells,
      new Set([3, 4, 5, 6, 7]),
    );
  },
  versions: (rows, { words }) => {
    const { own } = words;
    if (rows.length === 0) return null;
    const cost = (row: TextRecord, name: string): string => {
      const amount = row[name] ?? null;
      return amount === null ? '' : money(amount);
    };
    const cells = rows.map((row) => [
      text(row, 'model'),
      text(row, 'model_version') || own.noVersion,
      groupedDecimal(text(row, 'million_tokens') || '0'),
      money(row['income'] ?? '0'),
      cost(row, 'training_cost'),
      cost(row, 'build_cost'),
    ]);
    return htmlTable(
      [own.model, own.version, own.millionTokens, own.incomeOf, own.trainingCost, own.buildCost],
      cells,
      new Set([2, 3, 4, 5]),
    );
  },
  lead_time: leadTimes,
};

function amounts(rows: readonly TextRecord[], labelOf: (row: TextRecord) => string, title: string): Html | null {
  if (rows.length === 0) return null;
  return barChart(
    title,
    rows.slice(0, 20).map((row) => ({ label: labelOf(row), value: value(row, 'amount'), text: money(text(row, 'amount')) })),
  );
}

const HOURS = Array.from({ length: 24 }, (_, hour) => String(hour));

/** Mean idle share of each hour of the day, over the days on which the node's site ran anything. */
function idleHours(rows: readonly TextRecord[], { own }: ReportWords, days: number): Html | null {
  if (rows.length === 0) return null;
  const busyDays = new Map<string, Set<number>>();
  for (const row of rows) {
    const site = text(row, 'site_id');
    busyDays.set(site, (busyDays.get(site) ?? new Set()).add(Math.floor(value(row, 'hour') / 24)));
  }
  const nodes = new Map<string, { site: string; accelerators: number; held: number[] }>();
  for (const row of rows) {
    const key = `${text(row, 'site_id')} ${text(row, 'node')}`;
    const node = nodes.get(key) ?? { site: text(row, 'site_id'), accelerators: value(row, 'accelerators'), held: HOURS.map(() => 0) };
    const hour = value(row, 'hour') % 24;
    node.held[hour] = (node.held[hour] ?? 0) + value(row, 'held_ms');
    nodes.set(key, node);
  }
  const heat = [...nodes].map(([label, { site, accelerators, held }]) => {
    const capacity = accelerators * 3_600_000 * (busyDays.get(site)?.size ?? 1);
    const values = held.map((ms) => Math.min(1, Math.max(0, 1 - ms / (capacity || 1))));
    return {
      label: label.split(' ').at(-1) ?? label,
      values,
      texts: values.map((share, hour) => own.idleShare(label, String(hour), percent(share))),
    };
  });
  const most = Math.max(...[...busyDays.values()].map(({ size }) => size));
  return html`<p class="soft small">${own.dayCount(String(most), String(days))}</p>${heatMap(own.figure.idle.title, HOURS, heat)}`;
}
