/** MFU and HFU of a training run from its shape and speed, by a named formula and a named peak. */
import { type AcceleratorCatalog, peakFlops, requireAccelerator } from './accelerator.ts';
import { KashiError } from './errors.ts';
import {
  DEFAULT_FORMULA,
  defaultRecompute,
  type Flops,
  type FlopsParts,
  flopsPerSequence,
  type ModelShape,
  type Recompute,
} from './flops.ts';
import { divideHalfUp, Rational } from './money.ts';

type Amount = string | number;

/** The keys of a `kashi mfu` file (schemas/mfu.schema.json). */
export interface MfuInputs {
  readonly formula?: string;
  readonly accelerator: string;
  readonly precision: string;
  readonly accelerators: Amount;
  readonly model: ModelShape;
  /** Sequences of one iteration. */
  readonly global_batch?: Amount;
  /** One of the two speeds. */
  readonly iteration_s?: Amount;
  readonly tokens_per_second?: Amount;
  readonly recompute?: Recompute;
  /** The operator's own peak of one accelerator, with its source; needed where the catalog has none (Ascend 910B). */
  readonly peak_flops?: Amount;
  readonly peak_source?: string;
}

export interface MfuResult {
  readonly formula: string;
  readonly recompute: Recompute;
  /** Catalog model. */
  readonly accelerator: string;
  /** What the FLOPs below are of: an iteration, or a second when no batch is given. */
  readonly per: 'iteration' | 'second';
  readonly sequences: Rational;
  readonly seconds: Rational;
  readonly flops: Flops;
  /** Terms of the model FLOPs of one sequence. */
  readonly parts: FlopsParts;
  /** Dense FLOP/s of one accelerator, and of all. */
  readonly peak: bigint;
  readonly peakVersion: string;
  readonly peakTotal: bigint;
  /** 0–1, exact. */
  readonly mfu: Rational;
  readonly hfu: Rational;
  /** Highest MFU ever measured on this accelerator in bf16, or null. */
  readonly ceiling: string | null;
  /** Why the run cannot be as stated, or null. */
  readonly inconsistent: string | null;
}

/**
 * MFU = model FLOPs ÷ (accelerators × peak × seconds); HFU likewise with hardware FLOPs.
 * Errors: KashiError config_invalid unless exactly one speed is given, iteration_s with global_batch; unknown_accelerator without a peak.
 * Example: korthikanti, 175B on 64 A100, 64 sequences in 13.75 s, selective → MFU 0.5139, HFU 0.5277.
 */
export function measureMfu(inputs: MfuInputs, catalog: AcceleratorCatalog): MfuResult {
  const formula = inputs.formula ?? DEFAULT_FORMULA;
  const recompute = inputs.recompute ?? defaultRecompute(formula);
  const accelerator = requireAccelerator(catalog, inputs.accelerator);
  const peak = statedPeak(inputs) ?? peakFlops(catalog, accelerator.model, inputs.precision);
  const perSequence = flopsPerSequence(formula, inputs.model, recompute);
  const { per, sequences, seconds } = speedOf(inputs);
  const peakTotal = peak.flops * Rational.of(inputs.accelerators).n;
  const capacity = Rational.of(peakTotal).multiply(seconds);
  const share = (flops: bigint): Rational => Rational.of(flops).multiply(sequences).divide(capacity);
  const whole = (flops: bigint): bigint => divideHalfUp(flops * sequences.n, sequences.d);
  const mfu = share(perSequence.model);
  const hfu = share(perSequence.hardware);
  const ceiling = inputs.precision === 'bf16' && inputs.peak_flops === undefined ? accelerator.mfuCeiling : null;
  return {
    formula,
    recompute,
    accelerator: accelerator.model,
    per,
    sequences,
    seconds,
    flops: { model: whole(perSequence.model), hardware: whole(perSequence.hardware) },
    parts: perSequence.parts,
    peak: peak.flops,
    peakVersion: peak.version,
    peakTotal,
    mfu,
    hfu,
    ceiling,
    inconsistent: inconsistency(mfu, hfu, ceiling),
  };
}

function statedPeak({ peak_flops: stated, peak_source: source }: MfuInputs): { flops: bigint; version: string } | null {
  if (stated === undefined) return null;
  const exact = Rational.of(stated);
  if (exact.d === 1n) return { flops: exact.n, version: `operator: ${source ?? 'not named'}` };
  throw new KashiError('config_invalid', 'wrong value', {
    where: 'peak_flops',
    allowed: 'a whole number of FLOP/s',
    found: String(stated),
  });
}

function speedOf(inputs: MfuInputs): { per: MfuResult['per']; sequences: Rational; seconds: Rational } {
  const { iteration_s: iteration, tokens_per_second: rate, global_batch: batch } = inputs;
  if ((iteration === undefined) === (rate === undefined)) {
    const found = iteration === undefined ? 'neither' : 'both';
    throw new KashiError('config_invalid', 'the speed of the run', {
      where: 'iteration_s',
      allowed: 'iteration_s or tokens_per_second',
      found,
    });
  }
  if (iteration !== undefined) {
    if (batch !== undefined) return { per: 'iteration', sequences: Rational.of(batch), seconds: Rational.of(iteration) };
    throw new KashiError('config_invalid', 'missing key', {
      where: 'global_batch',
      allowed: 'sequences of one iteration',
      found: 'nothing',
    });
  }
  const sequencesPerSecond = Rational.of(rate ?? 0).divide(Rational.of(inputs.model.seq_len ?? 1));
  if (batch === undefined) return { per: 'second', sequences: sequencesPerSecond, seconds: Rational.of(1n) };
  const sequences = Rational.of(batch);
  return { per: 'iteration', sequences, seconds: sequences.divide(sequencesPerSecond) };
}

function inconsistency(mfu: Rational, hfu: Rational, ceiling: string | null): string | null {
  if (hfu.compare(Rational.of(1n)) > 0) return 'HFU above 1: more than the accelerators can do';
  if (ceiling === null || mfu.compare(Rational.of(ceiling)) <= 0) return null;
  return `MFU above ${ceiling}, the highest ever measured on this accelerator`;
}
