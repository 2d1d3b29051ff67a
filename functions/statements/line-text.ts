/** One charge line in the words of a language: what every form of a statement shows of it. */
import type { BillLine } from '../billing/bill-document.ts';
import { groupedDecimal, Rational, trimDecimal } from '../domain/money.ts';
import { type Language, type Wording, wordingOf } from '../domain/wording.ts';
import { type StatementWording, statementWordingOf } from '../domain/wording-statement.ts';
import { isTokenLine } from './summary.ts';

export interface Words {
  readonly base: Wording;
  readonly own: StatementWording;
}

/** The words of a language, nouns as heads: with a capital where the language has them. */
export function wordsOf(language: Language): Words {
  const base = wordingOf(language);
  const head = (noun: string): string => noun.slice(0, 1).toUpperCase() + noun.slice(1);
  const { bill, total, tenant, site, workload, quantity, listPrice, factor, unitPrice, exactAmount, amount, adjustment, coverage } = base;
  const nouns = { bill, total, tenant, site, workload, quantity, listPrice, factor, unitPrice, exactAmount, amount, adjustment, coverage };
  const heads = Object.fromEntries(Object.entries(nouns).map(([name, noun]) => [name, head(noun)])) as typeof nouns;
  return { base: { ...base, ...heads }, own: statementWordingOf(language) };
}

export interface LineText {
  readonly id: string;
  readonly kind: string;
  /** Accelerator, or model and meter. */
  readonly item: string;
  /** Job or service, or the serving image; empty when neither is known. */
  readonly of: string;
  readonly site: string;
  readonly band: string;
  readonly quantity: string;
  readonly unit: string;
  readonly listPrice: string;
  readonly factor: string;
  readonly unitPrice: string;
  readonly amount: string;
  readonly hfu: string;
  readonly mfu: string;
  readonly coverage: string;
  readonly note: string;
  /** Job, measured utilisation and tariff band on one line. */
  readonly details: string;
}

/** Percent with one decimal, half up. Example: '0.349144' → '34.9 %'; null → ''. */
export function percentText(ratio: string | null): string {
  return ratio === null ? '' : `${Rational.of(ratio).multiply(Rational.of('100')).toFixed(1)} %`;
}

/** A price without the zeros that say nothing. Example: '12.8000000000' → '12.80'. */
export function priceText(price: string): string {
  return groupedDecimal(trimDecimal(price, 2));
}

/** The meter of a token line's SKU (model:meter), in words; a model may have a colon of its own. */
function itemText(line: BillLine, { base }: Words): string {
  if (!isTokenLine(line)) return line.sku;
  const colon = line.sku.lastIndexOf(':');
  const meter = line.sku.slice(colon + 1);
  return `${line.sku.slice(0, colon)} · ${base.meter[meter] ?? meter}`;
}

/** Why the amount is what it is, when quantity and list price alone do not say it. */
function noteText(line: BillLine, { base, own }: Words): string {
  const notes: string[] = [];
  if (line.kind === 'correction') {
    const part = own.partText[line.part ?? ''] ?? line.part ?? '';
    notes.push(`${line.charge_period ?? ''} ${own.causeText[line.cause ?? ''] ?? line.cause ?? ''}, ${part}`);
  }
  if (line.kind === 'credit' && line.rule_id !== null) notes.push(line.rule_id);
  if (line.tier_no < 0) notes.push(own.freeAllowance);
  const adjusted = own.adjustmentNote[line.adjustment ?? ''] ?? '';
  if (adjusted !== '' && line.kind !== 'correction') notes.push(adjusted);
  if (line.proxy !== null) notes.push(`${base.basis['proxy'] ?? ''} ${percentText(line.proxy)}`);
  return notes.join('; ');
}

export function lineText(line: BillLine, words: Words): LineText {
  const { base } = words;
  const [hfu, mfu] = [percentText(line.hfu), percentText(line.mfu)];
  const of = line.workload_id !== '' ? line.workload_id : line.image_digest;
  const band = base.band[line.band] ?? line.band;
  return {
    id: line.line_id,
    kind: base.kind[line.kind as keyof Wording['kind']] ?? line.kind,
    item: itemText(line, words),
    of,
    site: line.site_id,
    band,
    quantity: groupedDecimal(line.quantity),
    unit: base.unit[line.unit] ?? line.unit,
    listPrice: priceText(line.list_unit_price),
    factor: line.factor,
    unitPrice: priceText(line.unit_price),
    amount: groupedDecimal(line.amount),
    hfu,
    mfu,
    coverage: percentText(line.coverage),
    note: noteText(line, words),
    details: [of, hfu === '' ? '' : `HFU ${hfu}`, mfu === '' ? '' : `MFU ${mfu}`, band].filter((part) => part !== '').join(' · '),
  };
}
