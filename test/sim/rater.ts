/**
 * The engine's place in the simulation: answers the statements that the real close asks, from rows in memory. Only the SQL models are
 * replaced, and what they do is done plainly: the first folded row of a key counts, a token has one price, corrections are differences.
 */
import type { ReferenceRow, ReferenceRows } from '../../functions/domain/reference.ts';
import type { SnapshotFile } from '../../functions/ledger/snapshot.ts';
import type { QueryResult, SqlValue, Warehouse } from '../../functions/ports.ts';
import { rowsOf, type UsageRow } from './rows.ts';

/** Σ n of one tenant. */
interface Line {
  readonly tenant: string;
  readonly n: bigint;
  readonly records: number;
}

interface Placed extends UsageRow {
  readonly foldSeq: number;
  readonly cid: string;
}

export interface RaterOptions {
  readonly reversed: boolean;
  /** Copies of a key in other files count again. */
  readonly dedupeWithinFile: boolean;
}

type Read = (key: string) => Promise<Uint8Array>;

const EMPTY: QueryResult = { columns: [], rows: [] };

/** A warehouse over exactly these files. */
export async function openRater(files: readonly SnapshotFile[], read: Read, options: RaterOptions): Promise<Warehouse> {
  const rows: Placed[] = [];
  let quarantined = 0;
  for (const { key, cid, fold_seq, dataset, rows: stated } of options.reversed ? files.toReversed() : files) {
    if (dataset === 'quarantine') {
      quarantined += stated;
      continue;
    }
    for (const row of rowsOf(await read(key))) if (row.object_id === cid.slice(0, 16)) rows.push({ ...row, cid, foldSeq: fold_seq });
  }
  return new Rater(rows, quarantined, options);
}

class Rater implements Warehouse {
  private readonly stored: readonly Placed[];
  private readonly quarantined: number;
  private readonly charged: readonly Placed[];
  private period = { name: '', startMs: 0, endMs: 0 };
  private price = 0n;
  private issued: readonly ReferenceRow[] = [];
  private lines: readonly Line[] = [];

  constructor(rows: readonly Placed[], quarantined: number, { dedupeWithinFile }: RaterOptions) {
    this.stored = rows;
    this.quarantined = quarantined;
    const seen = new Set<string>();
    this.charged = rows.toSorted(inFoldOrder).filter(({ id, cid }) => {
      if (id === null) return true;
      const key = dedupeWithinFile ? `${id} ${cid}` : id;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }

  async loadReference(reference: ReferenceRows): Promise<void> {
    const month = reference.ref_period[0]!;
    this.period = { name: String(month['period']), startMs: Number(month['start_ms']), endMs: Number(month['end_ms']) };
    this.price = BigInt(String(reference.ref_price_tier[0]!['unit_price'])) / MILLION;
    this.issued = reference.ref_issued_line;
    const own = this.charged.filter(({ at }) => at >= this.period.startMs && at < this.period.endMs);
    this.lines = [...Map.groupBy(own, ({ t }) => t)]
      .map(([tenant, rows]) => ({ tenant, n: rows.reduce((sum, { n }) => sum + BigInt(n), 0n), records: rows.length }))
      .sort((left, right) => (left.tenant < right.tenant ? -1 : 1));
  }

  async define(): Promise<void> {}
  async close(): Promise<void> {}
  async parquetFile(): Promise<string> {
    throw new Error('nothing is exported in the simulation');
  }

  async query(sql: string, parameters: readonly SqlValue[] = []): Promise<QueryResult> {
    const text = sql.replace(/\s+/g, ' ').trim();
    for (const [start, answer] of this.answers) if (text.startsWith(start)) return answer(parameters);
    throw new Error(`the rater has no answer to: ${text}`);
  }

  private readonly answers: readonly (readonly [string, (parameters: readonly SqlValue[]) => QueryResult])[] = [
    ['select * from bill_line where', () => table(this.lines.map((line) => this.lineRow(line)))],
    ['select * from bill_unrated', () => EMPTY],
    ['select * from bill_correction', () => table(this.corrections())],
    ['select coalesce(cast(sum(total)', () => table([{ total: amount(this.total()) }])],
    ['select * from rtd_promise', () => EMPTY],
    ['select * from rtd_capacity', () => EMPTY],
    ['select * from ana_pool', () => EMPTY],
    ['select * from rtd_token_account where', () => table(this.account().filter((row) => row['class'] !== 'charged'))],
    ['select class, cast(usage_rows', () => table(this.account())],
    ['select count(*) from raw_quarantine', () => table([{ count: String(this.quarantined) }])],
    ['select cast(coalesce(sum(input_uncached_tokens)', () => table([{ ...NO_INPUT, output: String(sumOf(this.stored)) }])],
    ['select (select coalesce(cast(sum(quantity)', () => table([{ used: '0', billed: '0', unrated: '0' }])],
    ['select (select coalesce(cast(sum(cast(quantity', () => table([{ list: amount(this.total()), credits: '0' }])],
    [
      'select tenant_id, cast(total',
      () => table(this.lines.map(({ tenant, n }) => ({ tenant_id: tenant, total: amount(n * this.price) }))),
    ],
    ['select source, site_id, count(distinct', () => EMPTY],
    ['select min(at_ms) from', () => table([{ first: this.firstMs() }])],
  ];

  private total(): bigint {
    return this.lines.reduce((sum, { n }) => sum + n * this.price, 0n);
  }

  private firstMs(): string | null {
    return this.charged.length === 0 ? null : String(Math.min(...this.charged.map(({ at }) => at)));
  }

  /** Every stored row is charged in this month, charged in another, or a copy of one that counts. */
  private account(): Record<string, string>[] {
    const inMonth = this.charged.filter(({ at }) => at >= this.period.startMs && at < this.period.endMs);
    const others = this.charged.filter(({ at }) => at < this.period.startMs || at >= this.period.endMs);
    const counted = new Set<UsageRow>(this.charged);
    const copies = this.stored.filter((row) => !counted.has(row));
    return Object.entries({ charged: inMonth, duplicate: copies, other_month: others }).map(([name, rows]) => ({
      class: name,
      usage_rows: String(rows.length),
      ...NO_INPUT,
      output_total: String(sumOf(rows)),
    }));
  }

  private lineRow({ tenant, n, records }: Line): Record<string, string | null> {
    return { ...lineOf(tenant, n, this.price), period: this.period.name, kind: 'tokens', records: String(records) };
  }

  /** What the month is rated to, less what was issued for it, by line. */
  private corrections(): Record<string, string | null>[] {
    const difference = new Map(this.lines.map(({ tenant, n }) => [tenant, n * this.price]));
    for (const line of this.issued) {
      const tenant = String(line['tenant_id']);
      difference.set(tenant, (difference.get(tenant) ?? 0n) - BigInt(String(line['amount']).split('.')[0]!));
    }
    return [...difference]
      .filter(([, charge]) => charge !== 0n)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([tenant, charge]) => {
        const money = { exact_amount: amount(charge), amount: amount(charge) };
        return { ...lineOf(tenant, 0n, this.price), ...money, kind: 'tokens', part: 'difference', records: '1' };
      });
  }
}

const MILLION = 1_000_000n;
const NO_INPUT = { input_uncached: '0', input_cache_read: '0', input_cache_write: '0' };

function inFoldOrder(left: Placed, right: Placed): number {
  return left.foldSeq - right.foldSeq || (left.cid < right.cid ? -1 : left.cid > right.cid ? 1 : left.line - right.line);
}

function sumOf(rows: readonly UsageRow[]): bigint {
  return rows.reduce((sum, { n }) => sum + BigInt(n), 0n);
}

/** Whole units with two places. */
function amount(n: bigint): string {
  return `${n}.00`;
}

function lineOf(tenant: string, n: bigint, price: bigint): Record<string, string | null> {
  const quantity = `${n / MILLION}.${String(n % MILLION).padStart(6, '0')}`;
  const perMillion = String(price * MILLION);
  return {
    tenant_id: tenant,
    line_id: `tokens-${tenant}`,
    site_id: 'hq',
    sku: 'm:output',
    workload_id: '',
    image_digest: '',
    band: '',
    price_id: 'p1',
    tier_no: '1',
    policy_id: null,
    rule_id: null,
    quantity,
    unit: 'MTokens',
    list_unit_price: perMillion,
    factor: '1.00',
    unit_price: perMillion,
    exact_amount: amount(n * price),
    amount: amount(n * price),
    hfu: null,
    mfu: null,
    adjustment: null,
  };
}

function table(rows: readonly Readonly<Record<string, string | null>>[]): QueryResult {
  const names = Object.keys(rows[0] ?? {});
  return { columns: names.map((name) => ({ name, type: 'VARCHAR' })), rows: rows.map((row) => names.map((name) => row[name] ?? null)) };
}
