/** The curve of an adjustment policy: points → straight pieces, capped, continuous, never rising. */
import { below, type Faults, type Place } from './faults.ts';
import { Rational } from './money.ts';
import type { RawDecimal } from './price-entry.ts';

export interface RawPoint {
  readonly at: RawDecimal;
  readonly factor: RawDecimal;
}

export interface CurvePoint {
  readonly at: Rational;
  readonly factor: Rational;
}

/** One straight piece of a curve: y = y_from + slope × (x − x_from) on [xFrom, xTo). Texts with 6 decimals, slope with 10. */
export interface CurvePiece {
  readonly xFrom: string;
  readonly xTo: string;
  readonly yFrom: string;
  readonly slope: string;
}

/**
 * The points in file order; none when they are not in growing order, because no piece may be formed then.
 * Faults: `at` that does not grow (the curve would jump), a factor that rises.
 */
export function readPoints(faults: Faults, place: Place, raw: readonly RawPoint[]): CurvePoint[] {
  const points = raw.map((point) => ({ at: Rational.of(point.at), factor: Rational.of(point.factor) }));
  points.forEach((point, index) => {
    const before = points[index - 1];
    if (before === undefined) return;
    const typed = raw[index];
    const typedBefore = raw[index - 1];
    const order = point.at.compare(before.at);
    if (order <= 0) {
      const what = order === 0 ? 'curve not continuous: two factors at one point' : 'points must be in growing order';
      faults.add(below(place, index, 'at'), what, `more than ${typedBefore?.at}`, String(typed?.at));
    }
    if (point.factor.compare(before.factor) > 0) {
      const what = 'curve not monotone: more efficiency cannot cost more';
      faults.add(below(place, index, 'factor'), what, `at most ${typedBefore?.factor}`, String(typed?.factor));
    }
  });
  return points.every((point, index) => index === 0 || point.at.compare((points[index - 1] as CurvePoint).at) > 0) ? points : [];
}

/**
 * Pieces that tile [0, 2): flat before the first point and from the last one on, so the factor is capped on both sides.
 * Example: (0.2, 1.2), (0.5, 0.9) → [0, 0.2) at 1.2; [0.2, 0.5) from 1.2 with slope −1; [0.5, 2) at 0.9.
 */
export function curvePieces(points: readonly CurvePoint[]): CurvePiece[] {
  const [first] = points;
  if (first === undefined) return [];
  const knots = first.at.n === 0n ? [...points] : [{ at: Rational.of(0), factor: first.factor }, ...points];
  return knots.map((knot, index) => {
    const next = knots[index + 1] ?? { at: Rational.of(2), factor: knot.factor };
    const slope = next.factor.subtract(knot.factor).divide(next.at.subtract(knot.at));
    return { xFrom: knot.at.toFixed(6), xTo: next.at.toFixed(6), yFrom: knot.factor.toFixed(6), slope: slope.toFixed(10) };
  });
}
