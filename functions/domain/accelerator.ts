/** Which accelerator a name means and what it can do: model, dense peak FLOP/s per precision, clock, measured ceiling. */
import { CATALOG_ROWS, type CatalogRow, PEAK_TABLE_VERSION, PRECISIONS, type Precision } from './accelerator-catalog.ts';
import { KashiError } from './errors.ts';
import { Rational } from './money.ts';

export { PEAK_TABLE_VERSION, PRECISIONS, type Precision } from './accelerator-catalog.ts';

export interface Peak {
  /** Dense FLOP/s of one accelerator. */
  readonly flops: bigint;
  /** The table the number is from: PEAK_TABLE_VERSION, or 'operator: <source>'. */
  readonly version: string;
}

export interface Accelerator {
  /** Catalog model, lower case. */
  readonly model: string;
  readonly peaks: Readonly<Partial<Record<Precision, Peak>>>;
  /** See CatalogRow. Decimal texts; null when unknown. */
  readonly boostClockMhz: string | null;
  readonly mfuCeiling: string | null;
  readonly maxWatts: number | null;
  readonly source: string;
}

export interface AcceleratorCatalog {
  /** By model. */
  readonly models: ReadonlyMap<string, Accelerator>;
  /** Normalised name → model; every model is a name of itself. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** What an operator adds or overrides (schemas/accelerators.schema.json). Numbers are decimals; peaks in FLOP/s: "354e12". */
export interface AcceleratorEntry {
  readonly model: string;
  readonly peaks?: Readonly<Partial<Record<Precision, string | number>>>;
  readonly boost_clock_mhz?: string | number;
  readonly mfu_ceiling?: string | number;
  readonly max_watts?: number;
  readonly aliases?: readonly string[];
  /** Where the numbers come from; printed beside every result that used them. */
  readonly source: string;
}

/** How a name is compared, in TypeScript and in SQL (`lower(trim(name))`). Example: ' NVIDIA H100 PCIe ' → 'nvidia h100 pcie'. */
export function normaliseAlias(name: string): string {
  return name.trim().toLowerCase();
}

/** A name as exporters print it, as GPU feature discovery labels it ('-' for blanks) and as Slurm admins write it ('_'). */
function spellings(name: string): string[] {
  const plain = normaliseAlias(name);
  return [plain, plain.replaceAll(' ', '-'), plain.replaceAll(/[ -]/g, '_')];
}

function builtIn(row: CatalogRow): Accelerator {
  const { model, boostClockMhz, mfuCeiling, maxWatts, source } = row;
  const peaks: Partial<Record<Precision, Peak>> = {};
  for (const precision of PRECISIONS) {
    const tera = row.peaks[precision];
    if (tera !== undefined) peaks[precision] = { flops: Rational.of(`${tera}e12`).n, version: PEAK_TABLE_VERSION };
  }
  return { model, peaks, boostClockMhz, mfuCeiling, maxWatts, source };
}

function buildCatalog(rows: readonly CatalogRow[]): AcceleratorCatalog {
  const models = new Map<string, Accelerator>();
  const aliases = new Map<string, string>();
  for (const row of rows) {
    models.set(row.model, builtIn(row));
    for (const name of [row.model, ...row.names]) for (const spelling of spellings(name)) aliases.set(spelling, row.model);
  }
  return { models, aliases };
}

/** The accelerators kashi knows without configuration. */
export const BUILT_IN_ACCELERATORS: AcceleratorCatalog = buildCatalog(CATALOG_ROWS);

/**
 * A new catalog with the operator's entries on top: given fields replace built-in ones, peaks are merged per precision, aliases
 * are added and may take over a built-in name ("Ascend910" → ascend-910b). `base` is left as it was.
 * Errors: KashiError config_invalid when one alias is claimed by two entries, or a number is not a positive decimal
 * (an MFU ceiling: in (0, 1]; a peak: a whole number of FLOP/s).
 */
export function extendCatalog(base: AcceleratorCatalog, entries: readonly AcceleratorEntry[]): AcceleratorCatalog {
  const models = new Map(base.models);
  const aliases = new Map(base.aliases);
  const claimed = new Map<string, string>();
  entries.forEach((entry, index) => {
    const at = `accelerators[${index}]`;
    models.set(entry.model, mergeEntry(models.get(entry.model), entry, at));
    for (const spelling of [entry.model, ...(entry.aliases ?? [])].flatMap(spellings)) {
      const owner = claimed.get(spelling);
      if (owner !== undefined && owner !== entry.model) {
        const allowed = 'each alias for one model';
        throw new KashiError('config_invalid', `two models claim one alias`, {
          where: `${at}.aliases`,
          allowed,
          found: `${spelling}: ${owner} and ${entry.model}`,
        });
      }
      claimed.set(spelling, entry.model);
      aliases.set(spelling, entry.model);
    }
  });
  return { models, aliases };
}

function mergeEntry(existing: Accelerator | undefined, entry: AcceleratorEntry, at: string): Accelerator {
  const peaks: Partial<Record<Precision, Peak>> = { ...existing?.peaks };
  for (const precision of PRECISIONS) {
    const stated = entry.peaks?.[precision];
    if (stated === undefined) continue;
    const flops = positive(stated, `${at}.peaks.${precision}`);
    if (flops.d !== 1n) throw refusal(`${at}.peaks.${precision}`, 'a whole number of FLOP/s, such as "354e12"', String(stated));
    peaks[precision] = { flops: flops.n, version: `operator: ${entry.source}` };
  }
  const ceiling = entry.mfu_ceiling;
  if (ceiling !== undefined && positive(ceiling, `${at}.mfu_ceiling`).compare(Rational.of(1n)) > 0) {
    throw refusal(`${at}.mfu_ceiling`, 'a share above 0, at most 1', String(ceiling));
  }
  if (entry.boost_clock_mhz !== undefined) positive(entry.boost_clock_mhz, `${at}.boost_clock_mhz`);
  return {
    model: entry.model,
    peaks,
    boostClockMhz: entry.boost_clock_mhz === undefined ? (existing?.boostClockMhz ?? null) : String(entry.boost_clock_mhz),
    mfuCeiling: ceiling === undefined ? (existing?.mfuCeiling ?? null) : String(ceiling),
    maxWatts: entry.max_watts ?? existing?.maxWatts ?? null,
    source: entry.source,
  };
}

function positive(value: string | number, where: string): Rational {
  try {
    const exact = Rational.of(value);
    if (exact.n > 0n) return exact;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
  }
  throw refusal(where, 'a positive decimal', String(value));
}

function refusal(where: string, allowed: string, found: string): KashiError {
  return new KashiError('config_invalid', 'wrong value', { where, allowed, found });
}

/** The catalog model a printed name means, or null. Whole names only: 'NVIDIA H20' is never 'NVIDIA H200'. */
export function resolveModel(catalog: AcceleratorCatalog, name: string): string | null {
  return catalog.aliases.get(normaliseAlias(name)) ?? null;
}

/** The accelerator of a model or printed name. Errors: KashiError unknown_accelerator with the known models. */
export function requireAccelerator(catalog: AcceleratorCatalog, name: string, where = 'accelerator'): Accelerator {
  const model = resolveModel(catalog, name);
  const accelerator = model === null ? undefined : catalog.models.get(model);
  if (accelerator !== undefined) return accelerator;
  const allowed = [...catalog.models.keys()].sort().join(', ');
  throw new KashiError('unknown_accelerator', 'unknown accelerator', {
    where,
    allowed,
    found: JSON.stringify(name),
    hint: 'add it to the accelerators file, with its peak and where that is from',
  });
}

/**
 * Dense peak of one accelerator at a precision. Units: FLOP/s.
 * Errors: KashiError unknown_accelerator for an unknown model, or a precision for which no peak is known: never a default.
 * Example: (catalog, 'h100', 'bf16') → 989 400 000 000 000.
 */
export function peakFlops(catalog: AcceleratorCatalog, model: string, precision: string, where = 'precision'): Peak {
  const accelerator = requireAccelerator(catalog, model);
  const known = PRECISIONS.filter((candidate) => accelerator.peaks[candidate] !== undefined);
  const precisionKnown = known.find((candidate) => candidate === precision);
  const peak = precisionKnown === undefined ? undefined : accelerator.peaks[precisionKnown];
  if (peak !== undefined) return peak;
  const allowed = known.length === 0 ? `${PRECISIONS.join(', ')}, once the accelerators file states a peak` : known.join(', ');
  const hint = `state peaks.${precision} of ${accelerator.model} in the accelerators file, or peak_flops of the run (${accelerator.source})`;
  throw new KashiError('unknown_accelerator', `no peak of ${accelerator.model} at ${precision}`, {
    where,
    allowed,
    found: JSON.stringify(precision),
    hint,
  });
}
