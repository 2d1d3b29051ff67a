/**
 * Training FLOPs of a transformer, by named published formula, exact. All formulas are written per sequence of `s` tokens
 * (N parameters, L layers, h hidden, V vocabulary); an iteration is `global_batch` sequences. Model FLOPs are what the mathematics
 * needs; hardware FLOPs add what recomputation repeats, so MFU ≤ HFU.
 */
import { assert, KashiError } from './errors.ts';
import { type Counts, type ModelShape, readCounts, type ShapeField } from './model-shape.ts';
import { Rational } from './money.ts';

export type { ModelShape } from './model-shape.ts';

export const RECOMPUTE_KINDS = ['none', 'selective', 'full'] as const;
export type Recompute = (typeof RECOMPUTE_KINDS)[number];

/** The terms of a formula: matrices of the layers, scores of attention, and the output vocabulary. */
export interface FlopsParts {
  readonly dense: bigint;
  readonly attention: bigint;
  readonly logits: bigint;
}

export interface Flops {
  readonly model: bigint;
  readonly hardware: bigint;
}

interface Formula {
  readonly needs: readonly ShapeField[];
  readonly text: string;
  /** Recomputation the published form stands for when none is stated. */
  readonly recompute: readonly Recompute[];
  /** Model FLOPs of one sequence, with whole attention. */
  parts(counts: Counts): FlopsParts;
  readonly source: string;
}

/** Both published shape forms, Korthikanti's 72·B·L·s·h²·(1 + s/6h + V/12hL) and Narayanan's, share these terms. */
function shapeParts({ layers, h, s, v }: Counts): FlopsParts {
  return { dense: 72n * layers * s * h * h, logits: 6n * s * h * v, attention: 12n * layers * s * s * h };
}

function parameterParts({ n, layers, s, attention }: Counts): FlopsParts {
  return { dense: 6n * n * s, logits: 0n, attention: 12n * layers * attention * s * s };
}

const SHAPE: readonly ShapeField[] = ['layers', 'hidden', 'seq_len', 'vocab'];
const PARAMETERS: readonly ShapeField[] = ['params', 'layers', 'hidden', 'seq_len'];

const BASE = {
  palm: {
    needs: PARAMETERS,
    recompute: RECOMPUTE_KINDS,
    parts: parameterParts,
    text: 's × (6N + 12·L·h·s)',
    source: 'arXiv 2204.02311 appendix B',
  },
  korthikanti: {
    needs: SHAPE,
    recompute: RECOMPUTE_KINDS,
    parts: shapeParts,
    text: '72·L·s·h² × (1 + s/6h + V/12hL)',
    source: 'arXiv 2205.05198',
  },
  narayanan: {
    needs: SHAPE,
    recompute: ['full'],
    parts: shapeParts,
    text: '72·L·s·h² × (1 + s/6h + V/12hL), hardware 96·L·s·h² × (1 + s/6h + V/16Lh)',
    source: 'arXiv 2104.04473',
  },
  'llm-foundry': {
    needs: PARAMETERS,
    recompute: RECOMPUTE_KINDS,
    parts: parameterParts,
    text: '3 × (2N·s + 4·L·h·s²)',
    source: 'mosaicml/llm-foundry benchmarking',
  },
} as const satisfies Record<string, Formula>;

type BaseId = keyof typeof BASE;
export type FormulaId = BaseId | `${BaseId}-causal`;

/** Ids of the formulas. A `-causal` form counts half of the attention, as a causal mask needs. */
export const FORMULA_IDS: readonly FormulaId[] = (Object.keys(BASE) as BaseId[]).flatMap((id): FormulaId[] => [id, `${id}-causal`]);
export const DEFAULT_FORMULA: FormulaId = 'palm';

/** What a formula computes, per sequence, and where it was published. Errors: KashiError config_invalid for an unknown id. */
export function formulaText(formula: string): { readonly text: string; readonly source: string } {
  const { base, causal } = formulaOf(formula);
  return { text: base.text + (causal ? ', attention terms halved' : ''), source: base.source };
}

function formulaOf(formula: string): { base: Formula; causal: boolean } {
  if (!(FORMULA_IDS as readonly string[]).includes(formula)) {
    throw new KashiError('config_invalid', 'unknown FLOPs formula', {
      where: 'formula',
      allowed: FORMULA_IDS.join(' | '),
      found: JSON.stringify(formula),
    });
  }
  const causal = formula.endsWith('-causal');
  return { base: BASE[(causal ? formula.slice(0, -'-causal'.length) : formula) as BaseId], causal };
}

/** The recomputation meant when none is stated: none, except for a formula that was published for full recomputation only. */
export function defaultRecompute(formula: string): Recompute {
  return formulaOf(formula).base.recompute.includes('none') ? 'none' : 'full';
}

/**
 * FLOPs of one training sequence (forward and backward).
 * Hardware: `none` = model; `full` repeats the forward pass of the layers (× 4/3; the logits once, which is Narayanan's
 * 96·L·s·h²·(1 + s/6h + V/16Lh)); `selective` counts attention twice, as Korthikanti's 72·L·s·h²·(1 + s/3h + V/12hL).
 * llm-foundry and palm have no logits term, so `full` is exactly HFU = MFU × 4/3.
 * Errors: KashiError config_invalid for a missing or non-positive field, an unknown formula, a recomputation it has no form for.
 * Example: korthikanti, 96 layers, hidden 12288, s 2048, V 51200 → 2 204 555 173 429 248 model FLOP (64 sequences: 1.4109e17).
 */
export function flopsPerSequence(
  formula: string,
  shape: ModelShape,
  recompute: Recompute = defaultRecompute(formula),
): Flops & { readonly parts: FlopsParts } {
  const { base, causal } = formulaOf(formula);
  if (!base.recompute.includes(recompute)) {
    throw new KashiError('config_invalid', `${formula} is defined for another recomputation`, {
      where: 'recompute',
      allowed: base.recompute.join(' | '),
      found: recompute,
    });
  }
  const { dense, logits, attention: whole } = base.parts(countsOf(formula, base, shape));
  // 12 of anything is even, so half of the attention is still whole.
  const attention = causal ? whole / 2n : whole;
  const model = dense + logits + attention;
  const hardware = { none: model, selective: model + attention, full: ((dense + attention) * 4n) / 3n + logits }[recompute];
  return { model, hardware, parts: { dense, attention, logits } };
}

function countsOf(formula: string, base: Formula, shape: ModelShape): Counts {
  if (shape.active_params === undefined || base.needs.includes('params')) return readCounts(formula, base.needs, shape);
  const allowed = FORMULA_IDS.filter((id) => formulaOf(id).base.needs.includes('params')).join(' | ');
  const what = `${formula} counts a dense model from its shape; it cannot count active_params`;
  throw new KashiError('config_invalid', what, { where: 'formula', allowed, found: formula });
}

/** FLOPs of an iteration of `sequences`. Errors: as flopsPerSequence. */
export function flopsPerIteration(formula: string, shape: ModelShape, sequences: bigint, recompute?: Recompute): Flops {
  const { model, hardware } = flopsPerSequence(formula, shape, recompute);
  return { model: model * sequences, hardware: hardware * sequences };
}

/**
 * Model FLOPs of training on a number of tokens, exact: every formula is whole per token, because every term of a sequence has `s`.
 * Errors: as flopsPerSequence. Example: palm, N = 10, L = 1, h = 2, s = 4: 156 per token; 3 tokens → 468.
 */
export function modelFlopsForTokens(formula: string, shape: ModelShape, tokens: bigint): bigint {
  const { model } = flopsPerSequence(formula, shape);
  const sequence = Rational.of(shape.seq_len ?? 1).n;
  assert(model % sequence === 0n, `${formula} is not whole per token`);
  return (model / sequence) * tokens;
}
