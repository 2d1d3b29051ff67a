/**
 * The price book: reviewed YAML, one document per kind, every entry effective-dated and approved (SPEC 6.3).
 * Reading it settles every date, so that any selector has at most one entry at any instant.
 */
import priceBookSchema from '../../schemas/price-book.schema.json' with { type: 'json' };
import { type AcceleratorCatalog, resolveModel } from './accelerator.ts';
import { type AdjustmentPolicy, type AdjustmentTerms, type RawAdjustment, readAdjustment } from './adjustment-policy.ts';
import { type AssetPool, type AssetPoolTerms, type RawAssetPool, readAssetPool } from './asset-pool.ts';
import { type Budget, type BudgetTerms, type RawBudget, readBudget } from './budget-entry.ts';
import { type Dated, followOneAnother } from './effective.ts';
import { KashiError } from './errors.ts';
import { below, Faults, type Place } from './faults.ts';
import type { Entry, Provenance, RawEntry, Reading } from './price-entry.ts';
import {
  type CreditRule,
  type CreditRuleTerms,
  type RawCreditRule,
  type RawTokenCredit,
  type RawTokenPolicy,
  readCreditRules,
  readTokenCredit,
  readTokenPolicy,
  type TokenCredit,
  type TokenCreditTerms,
  type TokenPolicy,
  type TokenPolicyTerms,
} from './price-rules.ts';
import { checkServing, type RawRelease, type Release, type ReleaseTerms, readRelease } from './release-entry.ts';
import { type RawTariff, readTariff, type Tariff, type TariffTerms } from './tariff-bands.ts';
import {
  type Allowance,
  type AllowanceTerms,
  type GpuPrice,
  type GpuPriceTerms,
  type RawAllowance,
  type RawGpuPrice,
  type RawTokenPrice,
  readAllowance,
  readGpuPrice,
  readTokenPrice,
  type TokenPrice,
  type TokenPriceTerms,
} from './unit-prices.ts';
import type { YamlDocument } from './yaml-config.ts';

/** Entries in file order; no two of one selector hold at one instant. */
export interface PriceBook {
  readonly fileName: string;
  readonly currency: string;
  /** Version as the file states it; empty when it does not. */
  readonly version: string;
  readonly note: string;
  readonly gpuPrices: readonly GpuPrice[];
  readonly tokenPrices: readonly TokenPrice[];
  readonly allowances: readonly Allowance[];
  readonly adjustments: readonly AdjustmentPolicy[];
  readonly tokenPolicies: readonly TokenPolicy[];
  readonly tariffs: readonly Tariff[];
  readonly creditRules: readonly CreditRule[];
  readonly tokenCredits: readonly TokenCredit[];
  readonly assetPools: readonly AssetPool[];
  readonly releases: readonly Release[];
  readonly budgets: readonly Budget[];
}

/** What the book is read against: the centre's zone and currency, and the accelerators that exist. */
export interface PriceBookContext {
  readonly timeZone: string;
  readonly currency: string;
  readonly catalog: AcceleratorCatalog;
}

const KINDS = [
  'book',
  'gpu_price',
  'token_price',
  'free_allowance',
  'adjustment',
  'token_policy',
  'tariff',
  'credit_rule',
  'token_credit',
  'asset_pool',
  'release',
  'budget',
] as const;
type Kind = (typeof KINDS)[number];
type EntryKind = Exclude<Kind, 'book'>;

interface RawBook {
  readonly kind: 'book';
  readonly currency: string;
  readonly version?: string;
  readonly note?: string;
  readonly models?: readonly string[];
}

/** One schema per kind: a fault then names the key of that kind, not "must match one of eleven". */
const KIND_SCHEMAS = Object.fromEntries(
  KINDS.map((kind) => [kind, { $schema: priceBookSchema.$schema, $defs: priceBookSchema.$defs, ...priceBookSchema.$defs[kind] }]),
) as Readonly<Record<Kind, object>>;
const ANY_KIND_SCHEMA = { $schema: priceBookSchema.$schema, type: 'object', required: ['kind'], properties: priceBookSchema.properties };

/**
 * The price book of a multi-document YAML. Errors: KashiError price_book_invalid that lists every fault as
 * `file:line path: what, allowed, found`: unknown keys, wrong values, overlaps, gaps, unknown accelerators, models and bands,
 * prices with more than 10 decimals, repeated ids, another currency, curves that rise or jump.
 */
export function parsePriceBook(documents: readonly YamlDocument[], fileName: string, context: PriceBookContext): PriceBook {
  if (documents.length === 0) {
    throw new KashiError('price_book_invalid', 'the price book is empty', {
      where: fileName,
      allowed: 'one YAML document per kind',
      found: 'no document',
    });
  }
  const faults = new Faults(fileName);
  const checked = documents.flatMap((document, index) => checkDocument(faults, document, index));
  const book = checked.find((one) => one.kind === 'book')?.document.value as RawBook | undefined;
  const currency = book?.currency ?? context.currency;
  if (book !== undefined && currency !== context.currency) {
    const document = (checked.find((one) => one.kind === 'book') as CheckedDocument).document;
    faults.add({ document, pointer: '/currency' }, 'differs from currency in kashi.yaml', context.currency, currency);
  }
  const reading: Reading = {
    faults,
    timeZone: context.timeZone,
    currency,
    acceleratorOf: (name) => resolveModel(context.catalog, name),
    models: book?.models === undefined ? null : new Set(book.models),
  };
  const entries = readEntries(reading, checked);
  faults.throwIfAny('price_book_invalid');
  return { fileName, currency, version: book?.version ?? '', note: book?.note ?? '', ...entries };
}

interface CheckedDocument {
  readonly kind: Kind;
  readonly document: YamlDocument;
}

/** The document when it has a known kind and agrees with its schema; else none, and the faults. */
function checkDocument(faults: Faults, document: YamlDocument, index: number): CheckedDocument[] {
  const kind = faults.validated<{ kind: Kind }>(document, ANY_KIND_SCHEMA)?.kind;
  if (kind === undefined) return [];
  if (kind === 'book' && index > 0)
    faults.add({ document, pointer: '/kind' }, 'the book document comes first, once', 'another kind', 'book');
  return faults.validated(document, KIND_SCHEMAS[kind]) === null ? [] : [{ kind, document }];
}

function readEntries(
  reading: Reading,
  documents: readonly CheckedDocument[],
): Omit<PriceBook, 'fileName' | 'currency' | 'version' | 'note'> {
  const places = new Map<EntryKind, { place: Place; raw: RawEntry }[]>();
  for (const { kind, document } of documents) {
    if (kind === 'book') continue;
    const { entries } = document.value as { entries: readonly RawEntry[] };
    const known = places.get(kind) ?? [];
    places.set(kind, [...known, ...entries.map((raw, index) => ({ place: { document, pointer: `/entries/${index}` }, raw }))]);
  }
  checkIds(reading.faults, [...places.values()].flat());
  const read = <R extends RawEntry, T>(
    kind: EntryKind,
    reader: (reading: Reading, place: Place, raw: R) => Dated<T> | readonly Dated<T>[] | null,
  ) => (places.get(kind) ?? []).flatMap(({ place, raw }) => reader(reading, place, raw as R) ?? []) as Dated<T>[];

  const gpuPrices = read<RawGpuPrice, GpuPriceTerms>('gpu_price', readGpuPrice);
  const tariffs = read<RawTariff, TariffTerms>('tariff', readTariff);
  checkBands(reading.faults, gpuPrices, tariffs);
  const releases = read<RawRelease, ReleaseTerms>('release', readRelease);
  checkServing(reading, releases);
  return {
    gpuPrices: settle(reading, gpuPrices),
    tokenPrices: settle(reading, read<RawTokenPrice, TokenPriceTerms>('token_price', readTokenPrice)),
    allowances: settle(reading, read<RawAllowance, AllowanceTerms>('free_allowance', readAllowance)),
    adjustments: settle(reading, read<RawAdjustment, AdjustmentTerms>('adjustment', readAdjustment)),
    tokenPolicies: settle(reading, read<RawTokenPolicy, TokenPolicyTerms>('token_policy', readTokenPolicy)),
    tariffs: settle(reading, tariffs),
    creditRules: settle(reading, read<RawCreditRule, CreditRuleTerms>('credit_rule', readCreditRules)),
    tokenCredits: settle(reading, read<RawTokenCredit, TokenCreditTerms>('token_credit', readTokenCredit)),
    assetPools: settle(reading, read<RawAssetPool, AssetPoolTerms>('asset_pool', readAssetPool)),
    releases: settle(reading, releases),
    budgets: settle(reading, read<RawBudget, BudgetTerms>('budget', readBudget)),
  };
}

function settle<T extends Provenance>({ faults, timeZone }: Reading, items: readonly Dated<T>[]): (T & Entry)[] {
  return followOneAnother(items, faults, timeZone).map(({ value, span }) => ({ ...value, ...span }));
}

function checkIds(faults: Faults, entries: readonly { place: Place; raw: RawEntry }[]): void {
  const lines = new Map<string, number>();
  for (const { place, raw } of entries) {
    const line = lines.get(raw.id);
    if (line !== undefined) faults.add(below(place, 'id'), 'repeated id', 'an id used once in the book', `${raw.id}, as at line ${line}`);
    else lines.set(raw.id, place.document.lineOf(`${place.pointer}/id`));
  }
}

function checkBands(faults: Faults, prices: readonly Dated<GpuPriceTerms>[], tariffs: readonly Dated<TariffTerms>[]): void {
  const known = new Set(tariffs.flatMap(({ value }) => value.bands.map(({ band }) => band)));
  const allowed = known.size === 0 ? 'bands of a tariff in this book; it has none' : [...known].join(', ');
  for (const { place, value } of prices) {
    for (const band of value.bands.keys()) {
      if (!known.has(band)) faults.add(below(place, 'bands', band), 'unknown band', allowed, band);
    }
  }
}
