/** `kashi whatif <yyyy-mm>`: the month's real usage under another price book or adjustment policy, beside what it costs now. */
import { Command, InvalidArgumentError } from 'commander';
import { type BillDocument, readBill, type UnratedLine } from '../billing/bill-document.ts';
import { compareRatings, difference, type RatedGroup, ratedGroups, SPLITS, type Split, type WhatifRow } from '../billing/whatif.ts';
import { buildReferences } from '../domain/build-reference.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { Rational } from '../domain/money.ts';
import { type PriceBook, parsePriceBook } from '../domain/price-book.ts';
import { parseYaml } from '../domain/yaml-config.ts';
import { type CheckResult, defineModels, runChecks } from '../warehouse/run.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { percent } from './config-file.ts';
import { EXIT, groupedDecimal, printJson, printLines, tableLines } from './output.ts';
import { lineEquation, type Session, withSession } from './session.ts';
import { type Centre, openCentre, terminal } from './wiring.ts';

interface WhatifOptions extends CommonOptions {
  readonly priceBook?: string;
  readonly policy?: string;
  readonly by?: readonly Split[];
}

/** A reviewed file by name and content. */
interface NamedFile {
  readonly file: string;
  readonly sha256: string;
}

export interface Whatif {
  readonly period: string;
  readonly time_zone: string;
  readonly currency: string;
  readonly snapshot: number;
  /** Null: that of the centre stays. */
  readonly price_book: NamedFile | null;
  readonly policy: NamedFile | null;
  readonly total: Pick<WhatifRow, 'before' | 'after' | 'difference' | 'change'>;
  readonly tenants: readonly WhatifRow[];
  readonly by: readonly Split[];
  /** The same difference, split; empty without --by. */
  readonly rows: readonly WhatifRow[];
  readonly unrated_before: number;
  /** What has no price or tenant under the other prices. */
  readonly unrated: readonly UnratedLine[];
  readonly checks: readonly CheckResult[];
}

export function whatifCommand(): Command {
  return withCentreOptions(
    new Command('whatif')
      .description('reprice the real usage of a month under another price book or adjustment policy, and compare tenant by tenant')
      .argument('<yyyy-mm>', 'billing period')
      .option('--price-book <file>', 'price book to rate with (default: that of the centre)')
      .option('--policy <file>', 'file with adjustment documents that replace those of the price book')
      .option('--by <splits>', `split further, a comma-separated list of ${Object.keys(SPLITS).join(', ')}`, splitsOf),
  )
    .addHelpText(
      'after',
      `\nExamples:\n  kashi whatif 2026-10 --price-book next-year.yaml\n  kashi whatif 2026-10 --policy curve.yaml --by kind\n  kashi whatif 2026-10 --price-book next-year.yaml --policy curve.yaml --by sku,workload --json\n\nNothing is written to the warehouse. Exit code 3: usage that the other price book cannot rate; its amounts are then too low.`,
    )
    .action(async (period: string, options: WhatifOptions) => {
      const centre = openCentre(options);
      const other = otherBook(centre, options);
      await withSession(centre, period, async (session) => {
        const result = await whatif(session, period, other, options.by ?? []);
        if (options.json === true) printJson(result);
        else printLines(whatifLines(result));
        process.exitCode = whatifExitCode(result);
      });
    });
}

function splitsOf(text: string): readonly Split[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !Object.hasOwn(SPLITS, name));
  if (unknown.length > 0) throw new InvalidArgumentError(`Allowed: ${Object.keys(SPLITS).join(', ')}. Found: ${unknown.join(', ')}.`);
  return [...new Set(names)] as Split[];
}

export interface OtherBook {
  readonly book: PriceBook;
  readonly priceBook: NamedFile | null;
  readonly policy: NamedFile | null;
}

/** The price book to rate with. Errors: KashiError usage without either file; price_book_invalid for a file that is wrong. */
export function otherBook(centre: Centre, { priceBook, policy }: Pick<WhatifOptions, 'priceBook' | 'policy'>): OtherBook {
  if (priceBook === undefined && policy === undefined)
    throw new KashiError('usage', 'nothing to compare with', {
      allowed: '--price-book <file>, --policy <file>, or both',
      found: 'neither',
    });
  const base = priceBook === undefined ? null : readBook(centre, priceBook);
  const rules = policy === undefined ? null : readBook(centre, policy);
  const book = base?.book ?? centre.priceBook;
  if (book === null)
    throw new KashiError('usage', 'the centre has no price book to put the policy into', { allowed: '--price-book <file>', found: 'none' });
  if (rules !== null) requirePolicy(rules.book);
  return {
    book: rules === null ? book : { ...book, adjustments: rules.book.adjustments },
    priceBook: base?.named ?? null,
    policy: rules?.named ?? null,
  };
}

function readBook(centre: Centre, file: string): { book: PriceBook; named: NamedFile } {
  const text = terminal.readText(file);
  const { config, catalog } = centre;
  const { timeZone, currency } = config;
  return { book: parsePriceBook(parseYaml(text, file), file, { timeZone, currency, catalog }), named: { file, sha256: sha256Hex(text) } };
}

/** A policy file is about adjustments only: anything else in it would be silently without effect. */
function requirePolicy(book: PriceBook): void {
  const others = book.gpuPrices.length + book.tokenPrices.length + book.allowances.length + book.tokenPolicies.length + book.tariffs.length;
  if (book.adjustments.length > 0 && others + book.creditRules.length + book.tokenCredits.length === 0) return;
  throw new KashiError('price_book_invalid', 'a policy file holds adjustments and nothing else', {
    where: book.fileName,
    allowed: 'documents of kind adjustment',
    found: book.adjustments.length === 0 ? 'no adjustment' : 'entries of other kinds too',
  });
}

/** Rates the period twice over one snapshot. Nothing is stored: reference rows and models live in the session's engine. */
export async function whatif(session: Session, period: string, other: OtherBook, splits: readonly Split[]): Promise<Whatif> {
  const before = await rated(session, period, splits);
  const { config, tenants, inventory, catalog } = session.centre;
  await session.warehouse.loadReference(buildReferences({ config, priceBook: other.book, tenants, inventory, catalog }, session.periods));
  const after = await rated(session, period, splits);
  return {
    period,
    time_zone: config.timeZone,
    currency: other.book.currency,
    snapshot: session.snapshot.n,
    price_book: other.priceBook,
    policy: other.policy,
    total: difference(before.document.total, after.document.total),
    tenants: compareRatings(before.tenants, after.tenants, []),
    by: splits,
    rows: splits.length === 0 ? [] : compareRatings(before.split, after.split, splits),
    unrated_before: before.document.unrated.length,
    unrated: after.document.unrated,
    checks: await runChecks(session.warehouse, session.models),
  };
}

interface Rated {
  readonly document: BillDocument;
  readonly tenants: readonly RatedGroup[];
  readonly split: readonly RatedGroup[];
}

async function rated({ warehouse, models, snapshot, centre }: Session, period: string, splits: readonly Split[]): Promise<Rated> {
  await defineModels(warehouse, models, ['bill_line', 'bill_unrated']);
  const { timeZone, currency } = centre.config;
  const context = { period, timeZone, currency, snapshot: snapshot.n, lines: lineEquation(snapshot), tenant: null };
  return {
    document: await readBill(warehouse, context),
    tenants: await ratedGroups(warehouse, period, []),
    split: await ratedGroups(warehouse, period, splits),
  };
}

/** 1 when an equation fails under the other prices, 3 when something is unrated there. */
export function whatifExitCode({ checks, unrated }: Pick<Whatif, 'checks' | 'unrated'>): number {
  if (checks.some(({ kind, rows }) => kind === 'equation' && rows > 0)) return EXIT.checkFailed;
  return unrated.length > 0 ? EXIT.incomplete : EXIT.ok;
}

export function whatifLines(result: Whatif): string[] {
  const { period, currency, snapshot, total, checks } = result;
  const named = (what: string, file: NamedFile | null): string[] =>
    file === null ? [] : [`${what} ${file.file} (SHA-256 ${file.sha256.slice(0, 16)}…)`];
  const failed = checks.filter(({ kind, rows }) => kind === 'equation' && rows > 0);
  return [
    `What if ${period}, snapshot ${snapshot}, ${currency}, were rated with ${[...named('price book', result.price_book), ...named('policy', result.policy)].join(' and ')}`,
    '',
    ...rowTable(result.tenants, [], total),
    ...(result.rows.length === 0 ? [] : ['', `Split by ${result.by.join(', ')}:`, ...rowTable(result.rows, result.by, null)]),
    ...unratedLines(result),
    ...failed.map(({ name, description, rows }) => `FAILED ${name}: ${rows} ${rows === 1 ? 'row' : 'rows'}. ${description}`),
    '',
    'Nothing was written to the warehouse.',
  ];
}

function rowTable(rows: readonly WhatifRow[], splits: readonly Split[], total: Whatif['total'] | null): string[] {
  const money = (row: Whatif['total']): string[] => [
    groupedDecimal(row.before),
    groupedDecimal(row.after),
    signed(row.difference),
    changeText(row.change),
  ];
  const cells = rows.map((row) => [row.tenant_id, ...splits.map((split) => row.by[split] ?? ''), ...money(row)]);
  const sum = total === null ? [] : [['total', ...money(total)]];
  const first = splits.length + 1;
  return tableLines(
    ['tenant', ...splits, 'now', 'then', 'difference', 'change'],
    [...cells, ...sum],
    new Set([first, first + 1, first + 2, first + 3]),
  );
}

function unratedLines({ unrated, unrated_before }: Whatif): string[] {
  if (unrated.length === 0) return [];
  const rows = unrated.map((line) => [
    line.reason,
    line.kind,
    line.tenant_id ?? line.tenant_key ?? '',
    line.site_id,
    line.sku,
    line.quantity,
    line.unit,
  ]);
  return [
    '',
    `Not rated then: ${unrated.length} ${unrated.length === 1 ? 'line' : 'lines'} (now ${unrated_before}). They count as nothing above, so the amounts then are too low:`,
    ...tableLines(['reason', 'kind', 'tenant or key', 'site', 'sku', 'quantity', 'unit'], rows, new Set([5])),
  ];
}

function signed(amount: string): string {
  return amount.startsWith('-') || /^0(\.0+)?$/.test(amount) ? groupedDecimal(amount) : `+${groupedDecimal(amount)}`;
}

/** '-0.100000' → '-10.00 %'. A ratio for reading; the exact one is in the JSON. */
function changeText(change: string | null): string {
  if (change === null) return 'new';
  const ratio = Rational.of(change);
  return `${ratio.n > 0n ? '+' : ''}${percent(ratio)}`;
}
