/** How far each budget is used at an instant, where the month is heading, and which thresholds that crosses. */
import type { Budget, Measure } from '../domain/budget-entry.ts';
import { Rational } from '../domain/money.ts';
import { effectiveText, type Period } from '../domain/period.ts';
import type { Warehouse } from '../ports.ts';
import { records } from './bill-document.ts';

/** One row of ana_budget. `used` and `limit` in the measure, 6 decimals. */
export interface BudgetUse {
  readonly budget_id: string;
  readonly tenant_id: string;
  readonly site_id: string;
  readonly product: string;
  readonly measure: Measure;
  readonly limit: string;
  readonly used: string;
  readonly unrated_lines: number;
}

/** used: share of the limit used; forecast: share expected at the end of the month; burn_rate: pace, 1 uses the limit exactly. */
export type AlertKind = 'used' | 'forecast' | 'burn_rate';

export interface DueAlert {
  readonly kind: AlertKind;
  /** The threshold, 6 decimals. */
  readonly share: string;
}

export interface BudgetStatus extends BudgetUse {
  readonly remaining: string;
  /** used ÷ limit, 6 decimals. */
  readonly used_share: string;
  /** used_share ÷ share of the month that is over, 6 decimals; null before anything happened. */
  readonly burn_rate: string | null;
  /** At the end of the month, in the measure: use so far and the pace of the last seven days, or of the month so far when it is younger. */
  readonly forecast: string;
  readonly forecast_basis: 'last_7_days' | 'month_to_date' | 'final';
  /** Local date on which the limit is reached at that pace; null when not within the month, or reached already. */
  readonly reached_on: string | null;
  readonly state: 'ok' | 'warning' | 'over';
  /** Thresholds that are crossed, in rising order of kind and share. */
  readonly due: readonly DueAlert[];
}

/** What the pace is measured from. */
export interface UseBefore {
  readonly atMs: number;
  readonly uses: readonly BudgetUse[];
}

export const RECENT_MS = 7 * 86_400_000;
/** Before a day has passed, a pace says nothing about a month. */
const PACE_MS = 86_400_000;

/** Reads ana_budget, which must be defined. Shape: sorted by id. */
export async function readBudgetUse(warehouse: Warehouse, period: string): Promise<BudgetUse[]> {
  const rows = records(await warehouse.query('select * from ana_budget where period = ? order by budget_id', [period]));
  return rows.map((row) => ({
    budget_id: row['budget_id'] ?? '',
    tenant_id: row['tenant_id'] ?? '',
    site_id: row['site_id'] ?? '',
    product: row['product'] ?? '',
    measure: row['measure'] as Measure,
    limit: row['limit_value'] ?? '0',
    used: row['used'] ?? '0',
    unrated_lines: Number(row['unrated_lines']),
  }));
}

/**
 * The status at `asOfMs`, an instant of the period or its end. `before` is the use at an earlier instant of the period, seven days ago.
 * Example: limit 100, 60 used when half the month is over → share 0.6, burn rate 1.2, forecast 120: over by the end.
 */
export function statusOf(use: BudgetUse, budget: Budget, period: Period, asOfMs: number, before: UseBefore | null): BudgetStatus {
  const [used, limit] = [Rational.of(use.used), Rational.of(use.limit)];
  const share = used.divide(limit);
  const elapsed = Rational.fraction(BigInt(asOfMs - period.startMs), BigInt(period.endMs - period.startMs));
  const burn = elapsed.n === 0n ? null : share.divide(elapsed);
  const { pace, basis } = paceOf(use, period, asOfMs, before);
  const forecast = used.add(pace.multiply(Rational.of(period.endMs - asOfMs)));
  const due = dueAlerts(budget, { used: share, forecast: forecast.divide(limit), burn_rate: burn }, period, asOfMs);
  return {
    ...use,
    remaining: limit.subtract(used).toFixed(6),
    used_share: share.toFixed(6),
    burn_rate: burn?.toFixed(6) ?? null,
    forecast: forecast.toFixed(6),
    forecast_basis: basis,
    reached_on: reachedOn(limit.subtract(used), pace, period, asOfMs),
    state: used.compare(limit) > 0 ? 'over' : due.length > 0 ? 'warning' : 'ok',
    due,
  };
}

/** Use per millisecond. */
function paceOf(
  use: BudgetUse,
  period: Period,
  asOfMs: number,
  before: UseBefore | null,
): { pace: Rational; basis: BudgetStatus['forecast_basis'] } {
  if (asOfMs >= period.endMs) return { pace: Rational.of(0n), basis: 'final' };
  if (before === null) {
    const elapsedMs = asOfMs - period.startMs;
    const pace = elapsedMs === 0 ? Rational.of(0n) : Rational.of(use.used).divide(Rational.of(elapsedMs));
    return { pace, basis: 'month_to_date' };
  }
  const earlier = before.uses.find(({ budget_id }) => budget_id === use.budget_id)?.used ?? '0';
  const grown = Rational.of(use.used).subtract(Rational.of(earlier));
  return { pace: grown.divide(Rational.of(asOfMs - before.atMs)), basis: 'last_7_days' };
}

function dueAlerts(budget: Budget, at: Readonly<Record<AlertKind, Rational | null>>, period: Period, asOfMs: number): DueAlert[] {
  const thresholds: readonly (readonly [AlertKind, readonly string[]])[] = [
    ['used', budget.thresholds],
    // A pace needs a day behind it and something left ahead of it.
    ...(asOfMs - period.startMs < PACE_MS || asOfMs >= period.endMs
      ? []
      : ([
          ['forecast', budget.forecastThresholds],
          ['burn_rate', budget.burnRates],
        ] as const)),
  ];
  return thresholds.flatMap(([kind, shares]) => {
    const value = at[kind];
    return shares.filter((share) => value !== null && value.compare(Rational.of(share)) >= 0).map((share) => ({ kind, share }));
  });
}

function reachedOn(left: Rational, pace: Rational, period: Period, asOfMs: number): string | null {
  if (left.n <= 0n || pace.n <= 0n) return null;
  const afterMs = left.divide(pace);
  if (afterMs.compare(Rational.of(period.endMs - asOfMs)) > 0) return null;
  return effectiveText(asOfMs + Number(afterMs.toFixed(0)), period.timeZone).slice(0, 10);
}
