/** The shape of a transformer as people write it, and as whole numbers. */
import { KashiError } from './errors.ts';
import { Rational } from './money.ts';

/** Shape of a model. Counts are whole; decimal or exponent text is accepted for params (175e9). */
export interface ModelShape {
  readonly layers?: number | string;
  readonly hidden?: number | string;
  readonly heads?: number | string;
  /** Only where heads × head_dim is not hidden (PaLM). */
  readonly head_dim?: number | string;
  readonly seq_len?: number | string;
  readonly vocab?: number | string;
  readonly params?: number | string;
  /** Mixture of experts: parameters one token passes through; used in place of params. */
  readonly active_params?: number | string;
}

/** Whole numbers of a shape, read once. `attention` is the width of all heads together. */
export interface Counts {
  readonly n: bigint;
  readonly layers: bigint;
  readonly h: bigint;
  readonly s: bigint;
  readonly v: bigint;
  readonly attention: bigint;
}

export type ShapeField = 'layers' | 'hidden' | 'seq_len' | 'vocab' | 'params';

/**
 * The whole numbers a formula needs. Errors: KashiError config_invalid for a needed field that is missing, or not a positive whole
 * number; fields the formula does not need are not read.
 */
export function readCounts(formula: string, needs: readonly ShapeField[], shape: ModelShape): Counts {
  const field = (name: keyof ModelShape): bigint => (needs.includes(name as ShapeField) ? requiredCount(formula, needs, shape, name) : 0n);
  const h = field('hidden');
  const headDim =
    shape.head_dim === undefined ? null : requiredCount(formula, needs, shape, 'head_dim') * requiredCount(formula, needs, shape, 'heads');
  const n = shape.active_params === undefined ? field('params') : requiredCount(formula, needs, shape, 'active_params');
  return { n, layers: field('layers'), h, s: field('seq_len'), v: field('vocab'), attention: headDim ?? h };
}

function requiredCount(formula: string, needs: readonly ShapeField[], shape: ModelShape, name: keyof ModelShape): bigint {
  const found = shape[name];
  const exact = found === undefined ? null : wholeNumber(found);
  if (exact !== null) return exact;
  const allowed = `a positive whole number (${formula} needs ${needs.join(', ')})`;
  throw new KashiError('config_invalid', found === undefined ? 'missing key' : 'wrong value', {
    where: `model.${name}`,
    allowed,
    found: found === undefined ? 'nothing' : String(found),
  });
}

function wholeNumber(value: number | string): bigint | null {
  try {
    const exact = Rational.of(value);
    return exact.d === 1n && exact.n > 0n ? exact.n : null;
  } catch (cause) {
    if (cause instanceof TypeError) return null;
    throw cause;
  }
}
