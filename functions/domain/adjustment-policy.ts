/** Entries that turn efficiency into a factor on GPU-hours (SPEC 8): step or curve, enforced or in shadow, with exemptions. */
import { type CurvePoint, type RawPoint, readPoints } from './adjustment-curve.ts';
import { type Dated, readEffective } from './effective.ts';
import { below, type Place } from './faults.ts';
import { Rational } from './money.ts';
import {
  datedEntry,
  type Entry,
  fixed,
  type Provenance,
  provenanceOf,
  type RawDecimal,
  type RawEntry,
  type Reading,
  requireMonthStart,
} from './price-entry.ts';
import { NO_END_MS } from './reference.ts';

export interface Exemption {
  readonly kind: 'queue' | 'label' | 'tenant' | 'shorter_than_ms';
  /** Queue, key=value, tenant id, or milliseconds as digits. */
  readonly value: string;
  /** Exclusive; NO_END_MS when it holds as long as the policy. */
  readonly untilMs: number;
}

/** Ratios and factors are decimal texts with 6 decimals. */
export interface AdjustmentTerms extends Provenance {
  readonly rule: 'step' | 'curve';
  readonly enforcement: 'enforce' | 'shadow';
  /** Empty for step, which looks at both. */
  readonly metric: 'hfu' | 'mfu' | '';
  readonly lowThreshold: string;
  readonly lowFactor: string;
  readonly highThreshold: string;
  readonly highFactor: string;
  readonly minCoverage: string;
  readonly proxy: 'none' | 'penalty' | 'penalty_and_reward';
  readonly mfuTolerance: string;
  readonly revenueNeutral: boolean;
  /** Curve only; empty for step. */
  readonly points: readonly CurvePoint[];
  readonly exemptions: readonly Exemption[];
}
export type AdjustmentPolicy = AdjustmentTerms & Entry;

interface RawExemption {
  readonly queue?: string;
  readonly label?: string;
  readonly tenant?: string;
  readonly shorter_than?: string;
  readonly until?: string;
}

export interface RawAdjustment extends RawEntry {
  readonly rule?: 'step' | 'curve';
  readonly enforcement?: 'enforce' | 'shadow';
  readonly penalty?: { readonly hfu_below?: RawDecimal; readonly factor?: RawDecimal };
  readonly reward?: { readonly mfu_above?: RawDecimal; readonly factor?: RawDecimal };
  readonly min_coverage?: RawDecimal;
  readonly proxy?: AdjustmentTerms['proxy'];
  readonly mfu_tolerance?: RawDecimal;
  readonly metric?: 'hfu' | 'mfu';
  readonly points?: readonly RawPoint[];
  readonly revenue_neutral?: boolean;
  readonly exemptions?: readonly RawExemption[];
}

const ONE = Rational.of(1);
const STEP_ONLY = ['penalty', 'reward'] as const;
const CURVE_ONLY = ['metric', 'points', 'revenue_neutral'] as const;
const EXEMPTION_KINDS = ['queue', 'label', 'tenant', 'shorter_than'] as const;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/**
 * A policy; one holds at any instant. Defaults: step, enforce, HFU < 0.20 → 1.20, MFU > 0.50 → 0.90, min_coverage 0.9, proxy none,
 * mfu_tolerance 0.02. Faults: keys of the other rule, a penalty below 1, a reward above 1, thresholds that could both hold,
 * a curve that rises or jumps, an exemption of none or several kinds.
 */
export function readAdjustment(reading: Reading, place: Place, raw: RawAdjustment): Dated<AdjustmentTerms> | null {
  const { faults } = reading;
  const rule = raw.rule ?? 'step';
  for (const key of rule === 'step' ? CURVE_ONLY : STEP_ONLY) {
    const other = rule === 'step' ? 'curve' : 'step';
    if (raw[key] !== undefined) faults.add(below(place, key), `belongs to rule ${other}`, `rule: ${other}, or no ${key}`, `rule: ${rule}`);
  }
  if (rule === 'step') checkSteps(reading, place, raw);
  for (const key of ['metric', 'points'] as const) {
    if (rule === 'curve' && raw[key] === undefined) {
      faults.add(below(place, key), 'missing key', key === 'metric' ? 'hfu | mfu' : 'at least two points {at, factor}', 'nothing');
    }
  }
  const points = rule === 'curve' ? readPoints(reading.faults, below(place, 'points'), raw.points ?? []) : [];
  const terms: AdjustmentTerms = {
    ...provenanceOf(raw),
    rule,
    enforcement: raw.enforcement ?? 'enforce',
    metric: rule === 'curve' ? (raw.metric ?? 'hfu') : '',
    ...(rule === 'step' ? stepTerms(raw) : stepTerms({ penalty: { hfu_below: 0, factor: 1 }, reward: { mfu_above: 1, factor: 1 } })),
    minCoverage: fixed(raw.min_coverage ?? '0.9', 6),
    proxy: raw.proxy ?? 'none',
    mfuTolerance: fixed(raw.mfu_tolerance ?? '0.02', 6),
    revenueNeutral: rule === 'curve' && raw.revenue_neutral === true,
    points,
    exemptions: (raw.exemptions ?? []).flatMap((exemption, index) => readExemption(reading, below(place, 'exemptions', index), exemption)),
  };
  const dated = datedEntry(reading, place, raw, [], 'adjustment', terms);
  if (dated !== null) checkUntil(reading, dated, raw);
  return dated;
}

function stepTerms({ penalty, reward }: Pick<RawAdjustment, 'penalty' | 'reward'>) {
  return {
    lowThreshold: fixed(penalty?.hfu_below ?? '0.20', 6),
    lowFactor: fixed(penalty?.factor ?? '1.20', 6),
    highThreshold: fixed(reward?.mfu_above ?? '0.50', 6),
    highFactor: fixed(reward?.factor ?? '0.90', 6),
  };
}

function checkSteps({ faults }: Reading, place: Place, raw: RawAdjustment): void {
  const { lowThreshold, lowFactor, highThreshold, highFactor } = stepTerms(raw);
  if (Rational.of(lowFactor).compare(ONE) < 0) {
    faults.add(below(place, 'penalty', 'factor'), 'a penalty cannot lower the price', 'from 1 to 10', String(raw.penalty?.factor));
  }
  if (Rational.of(highFactor).compare(ONE) > 0) {
    faults.add(below(place, 'reward', 'factor'), 'a reward cannot raise the price', 'from 0 to 1', String(raw.reward?.factor));
  }
  // An accepted MFU is at most HFU + tolerance; so HFU < low and MFU > high exclude each other only while low + tolerance ≤ high.
  const reach = Rational.of(lowThreshold).add(Rational.of(raw.mfu_tolerance ?? '0.02'));
  if (reach.compare(Rational.of(highThreshold)) > 0) {
    const allowed = `at least ${reach.toFixed(6)} (penalty.hfu_below + mfu_tolerance)`;
    faults.add(below(place, 'reward', 'mfu_above'), 'penalty and reward could both hold', allowed, highThreshold);
  }
}

function readExemption({ faults, timeZone }: Reading, place: Place, raw: RawExemption): Exemption[] {
  const kinds = EXEMPTION_KINDS.filter((kind) => raw[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    faults.add(place, 'an exemption has one kind', `one of ${EXEMPTION_KINDS.join(', ')}`, kind === undefined ? 'none' : kinds.join(', '));
    return [];
  }
  const untilMs = raw.until === undefined ? NO_END_MS : readEffective(faults, place, 'until', raw.until, timeZone);
  if (untilMs === null) return [];
  const value = raw[kind] ?? '';
  if (kind !== 'shorter_than') return [{ kind, value, untilMs }];
  return [{ kind: 'shorter_than_ms', value: String(Number(value.slice(0, -1)) * (UNIT_MS[value.slice(-1)] ?? 0)), untilMs }];
}

function checkUntil(reading: Reading, dated: Dated<AdjustmentTerms>, raw: RawAdjustment): void {
  // A faulty exemption is not in the terms, and then positions no longer match; it is mended first.
  if (dated.value.exemptions.length !== (raw.exemptions ?? []).length) return;
  dated.value.exemptions.forEach((exemption, index) => {
    if (exemption.untilMs > dated.fromMs) {
      // The factor of a workload is decided once a period; half a month of exemption would be a whole one.
      if (exemption.untilMs !== NO_END_MS)
        requireMonthStart(reading, below(dated.place, 'exemptions', index), 'until', exemption.untilMs, 'an exemption');
      return;
    }
    const at = below(dated.place, 'exemptions', index, 'until');
    reading.faults.add(
      at,
      'the exemption ends before its policy starts',
      `after ${raw.effective_from}`,
      String(raw.exemptions?.[index]?.until),
    );
  });
}
