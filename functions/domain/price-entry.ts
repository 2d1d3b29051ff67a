/** What every entry of a price book has: an id, effective dates, an approver; and how prices and tiers are read. */
import { type Dated, readEffective, type Span } from './effective.ts';
import { below, type Faults, type Place } from './faults.ts';
import { Rational } from './money.ts';
import { effectiveText, nextPeriod, periodsTouching } from './period.ts';

/** An entry as typed, after the schema agreed. A number is an exact integer; any other decimal is text. */
export interface RawEntry {
  readonly id: string;
  readonly effective_from: string;
  readonly effective_to?: string;
  readonly currency?: string;
  readonly note?: string;
  readonly approved_by: string;
}

export type RawDecimal = string | number;

export interface RawTiers {
  readonly mode: 'graduated' | 'volume';
  readonly steps: readonly { readonly up_to?: RawDecimal; readonly price: RawDecimal }[];
}

/** Who decided the entry and why. */
export interface Provenance {
  /** Unique in the book. */
  readonly id: string;
  readonly note: string;
  readonly approvedBy: string;
}

/** A settled entry: its span ends where the next entry of its selector starts. */
export type Entry = Provenance & Span;

/** One tier: [fromQuantity, toQuantity) costs unitPrice per unit. Quantities with 6 decimals, prices with 10. */
export interface Tier {
  readonly fromQuantity: string;
  /** Exclusive; null when open. */
  readonly toQuantity: string | null;
  readonly unitPrice: string;
}

/** Tiers in order, from 0 without a hole, the last open. A plain price is one open tier. */
export interface TierTable {
  readonly mode: 'graduated' | 'volume';
  readonly tiers: readonly Tier[];
}

/** What readers of entries know about the book around them. */
export interface Reading {
  readonly faults: Faults;
  readonly timeZone: string;
  /** The book's currency. */
  readonly currency: string;
  /** Catalog model of a model or alias; null when unknown. */
  readonly acceleratorOf: (name: string) => string | null;
  /** Models that may be priced; null when the book does not say. */
  readonly models: ReadonlySet<string> | null;
}

/** The dated value of an entry; null (with faults) when its dates are wrong. */
export function datedEntry<T extends Provenance>(
  reading: Reading,
  place: Place,
  raw: RawEntry,
  selector: readonly string[],
  label: string,
  value: T,
): Dated<T> | null {
  const { faults, timeZone } = reading;
  if (raw.currency !== undefined && raw.currency !== reading.currency) {
    faults.add(below(place, 'currency'), 'differs from the currency of the book', reading.currency, raw.currency);
  }
  const fromMs = readEffective(faults, place, 'effective_from', raw.effective_from, timeZone);
  const toMs = readEffective(faults, place, 'effective_to', raw.effective_to, timeZone);
  if (fromMs === null || (toMs === null && raw.effective_to !== undefined)) return null;
  if (toMs !== null && toMs <= fromMs) {
    faults.add(below(place, 'effective_to'), 'ends before it starts', `after ${raw.effective_from}`, String(raw.effective_to));
    return null;
  }
  // The unit separator cannot be typed by accident in a tenant or model name.
  return { selector: selector.join('\u001f'), label, fromMs, toMs, place, value };
}

/** A fault where the instant at `key` is inside a month, for what is decided once a period. `what` names it: `a token policy`. */
export function requireMonthStart({ faults, timeZone }: Reading, place: Place, key: string, ms: number, what: string): void {
  const [period] = periodsTouching(ms, ms + 1, timeZone);
  if (period === undefined || period.startMs === ms) return;
  const allowed = `the first of a month, such as ${nextPeriod(period).period}-01`;
  faults.add(below(place, key), `${what} holds for whole months`, allowed, effectiveText(ms, timeZone));
}

/** Faults where an entry that is decided once a period starts or ends inside one. */
export function requireWholeMonths(reading: Reading, dated: Dated<unknown>, what: string): void {
  requireMonthStart(reading, dated.place, 'effective_from', dated.fromMs, what);
  if (dated.toMs !== null) requireMonthStart(reading, dated.place, 'effective_to', dated.toMs, what);
}

/** Provenance of a typed entry. */
export function provenanceOf(raw: RawEntry): Provenance {
  return { id: raw.id, note: raw.note ?? '', approvedBy: raw.approved_by };
}

/** Decimal text with exactly `scale` decimals. Example: ('10.5', 10) → '10.5000000000'. */
export function fixed(value: RawDecimal, scale: number): string {
  return Rational.of(value).toFixed(scale);
}

/** A plain price as one open tier. Example: '10' → graduated, [0, ∞) at 10.0000000000. */
export function flatTiers(price: RawDecimal): TierTable {
  return { mode: 'graduated', tiers: [{ fromQuantity: fixed(0, 6), toQuantity: null, unitPrice: fixed(price, 10) }] };
}

/**
 * Tiers of `{mode, steps}`. Faults: a step without up_to that is not the last, a last step with one, an up_to that does not grow.
 * Example: up_to 1000 at 10, then 8 → [0, 1000) at 10, [1000, ∞) at 8.
 */
export function readTiers(faults: Faults, place: Place, raw: RawTiers): TierTable {
  const tiers: Tier[] = [];
  let from = Rational.of(0);
  raw.steps.forEach((step, index) => {
    const at = below(place, 'steps', index);
    const last = index === raw.steps.length - 1;
    if (step.up_to === undefined && !last)
      faults.add(at, 'a step without up_to hides those after it', 'up_to, or the last step', 'no up_to');
    if (step.up_to !== undefined && last) {
      faults.add(below(at, 'up_to'), 'the last step must be open: no price would hold above it', 'no up_to', String(step.up_to));
    }
    const to = step.up_to === undefined ? null : Rational.of(step.up_to);
    if (to !== null && to.compare(from) <= 0) {
      faults.add(below(at, 'up_to'), 'up_to must grow from step to step', `more than ${trimmed(from)}`, String(step.up_to));
    }
    tiers.push({ fromQuantity: from.toFixed(6), toQuantity: to === null ? null : to.toFixed(6), unitPrice: fixed(step.price, 10) });
    from = to ?? from;
  });
  return { mode: raw.mode, tiers };
}

/** Catalog model of an entry's accelerator; a fault and the name as typed when it is unknown. */
export function readAccelerator(reading: Reading, place: Place, name: string): string {
  const model = reading.acceleratorOf(name);
  if (model === null) {
    reading.faults.add(below(place, 'accelerator'), 'unknown accelerator', 'a model or alias of the accelerator catalog', name);
  }
  return model ?? name;
}

/** A fault when the book lists its models and this is none of them. */
export function requireModel(reading: Reading, place: Place, model: string): void {
  if (reading.models === null || reading.models.has(model)) return;
  reading.faults.add(below(place, 'model'), 'unknown model', [...reading.models].join(', '), model);
}

function trimmed(value: Rational): string {
  return value.toFixed(6).replace(/\.?0+$/, '');
}
