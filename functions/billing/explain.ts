/** From one charge line down to what was logged: formula with its numbers, price, evidence, cuts, source lines. No words: those are in domain/wording.ts. */
import { KashiError } from '../domain/errors.ts';
import type { QueryResult, SqlValue, Warehouse } from '../ports.ts';
import { records, type TextRecord } from './bill-document.ts';
import { type CutReason, cutsOf, readEdges } from './explain-cuts.ts';
import { type ExplainedSource, gpuInputs, tokenInputs } from './explain-inputs.ts';

export type { ExplainedSource } from './explain-inputs.ts';

/** What was counted, before tiers: exact amount in accelerator-ms or tokens, and the quantity it gives. */
export interface ExplainedQuantity {
  /** Null for a credit, whose hours are parts of pieces. */
  readonly amount: string | null;
  readonly total: string;
  /** The part of it that is on this line. */
  readonly on_line: string;
  /** Bounds of the tier; null for an allowance. */
  readonly tier: { readonly mode: string; readonly from_quantity: string; readonly to_quantity: string | null } | null;
}

export interface Cut {
  /** Epoch ms, as text. */
  readonly at_ms: string;
  readonly reason: CutReason;
}

export interface Explanation {
  readonly line: TextRecord;
  readonly quantity: ExplainedQuantity;
  readonly price: TextRecord | null;
  readonly policy: TextRecord | null;
  readonly evidence: TextRecord | null;
  /** Exemptions that hold for the workload; with one of them no factor is charged. */
  readonly exemptions: readonly TextRecord[];
  /** Credit lines: the rule, and the faults that it credits; of tokens the order. */
  readonly credit: { readonly rule: TextRecord; readonly faults: readonly TextRecord[] } | null;
  /** Gang waits: members, when they were bound, when they ran. */
  readonly gang: readonly TextRecord[];
  /** Where allocations were cut, each instant once, in time order. */
  readonly cuts: readonly Cut[];
  /** Outages of the nodes that were held meanwhile; they do not shorten what was held. */
  readonly outages: readonly TextRecord[];
  /** GPU lines: the pieces that were added up. Token lines: the requests, first ones only. */
  readonly inputs: readonly TextRecord[];
  readonly inputs_total: number;
  readonly sources: readonly ExplainedSource[];
  /** GPU lines: where the samples behind HFU and coverage were read. */
  readonly samples: readonly ExplainedSource[];
}

/** No upper bound, as price tiers store it. */
const OPEN_QUANTITY = '99999999999999.000000';

/** Models that an explanation reads, with everything below them: lines and faults, single requests and samples. */
export const EXPLAINED = ['bill_line', 'rtd_fault', 'fct_token_usage', 'fct_allocation_series', 'fct_sample_span'] as const;

/** EXPLAINED must be defined. Errors: KashiError not_found for an id that is on no line. */
export async function explainLine(warehouse: Warehouse, lineId: string): Promise<Explanation> {
  const all = async (sql: string, parameters: readonly SqlValue[]): Promise<TextRecord[]> =>
    records(await warehouse.query(sql, parameters));
  const line = first(await warehouse.query('select * from bill_line where line_id = ?', [lineId]));
  if (line === null) {
    throw new KashiError('not_found', 'no charge line has this id', { where: 'line-id', allowed: 'an id from kashi bill', found: lineId });
  }
  const [price = null] = await all(
    'select distinct price_id, tenant_id, site_id, approved_by, tier_mode, from_ms, to_ms from ref_price where price_id = ? and product = ? and meter = ?',
    [line['price_id'] ?? null, line['product'] ?? null, line['meter'] ?? null],
  );
  const [policy = null] = await all('select * from ref_adjustment where policy_id = ?', [line['policy_id'] ?? null]);
  const isTokens = line['meter'] !== 'gpu_hours';
  const about = [line['period'] ?? null, line['site_id'] ?? null, line['workload_id'] ?? null];
  const [evidence = null] = isTokens
    ? []
    : await all('select * from fct_workload_efficiency where period = ? and site_id = ? and workload_id = ?', about);
  const inputs = isTokens ? await tokenInputs(warehouse, line) : await gpuInputs(warehouse, line);
  const edges = await readEdges(warehouse, line);
  const rows = isTokens ? inputs.rows : inputs.rows.map((row) => ({ ...row, ...cutsOf(row, line['kind'] ?? '', edges) }));
  return {
    line,
    quantity: await quantityOf(warehouse, line),
    price,
    policy,
    evidence,
    exemptions:
      line['adjustment'] === 'exempt'
        ? await all('select * from ref_exemption where policy_id = ? order by kind, value', [line['policy_id'] ?? null])
        : [],
    credit: line['kind'] === 'credit' ? await creditOf(warehouse, line) : null,
    gang: line['kind'] === 'gang_wait' ? await gangOf(warehouse, about) : [],
    cuts: cutsIn(rows),
    outages: isTokens ? [] : await outagesOf(warehouse, about),
    inputs: rows,
    inputs_total: inputs.total,
    sources: inputs.sources,
    samples: inputs.samples,
  };
}

function first(result: QueryResult): TextRecord | null {
  return records(result)[0] ?? null;
}

async function quantityOf(warehouse: Warehouse, line: TextRecord): Promise<ExplainedQuantity> {
  const text = (name: string): string => line[name] ?? '';
  const tier = first(
    await warehouse.query(
      `select prices.tier_mode, tiers.from_quantity, tiers.to_quantity
       from ref_price_tier as tiers
       inner join ref_price as prices on prices.price_id = tiers.price_id and prices.meter = tiers.meter and prices.band = tiers.band and prices.product = ?
       where tiers.price_id = ? and tiers.meter = ? and tiers.tier_no = ? and tiers.band in ('', ?) order by tiers.band desc limit 1`,
      [text('product'), text('price_id'), text('meter'), text('tier_no'), text('band')],
    ),
  );
  const sums =
    line['kind'] === 'credit'
      ? await warehouse.query(
          `select cast(null as bigint) as amount, sum(quantity) as total from (
             select period, tenant_id, site_id, workload_id, product, 'gpu_hours' as meter, '' as image_digest, price_id, band, rule_id, quantity from rtd_credit
             union all
             select period, tenant_id, site_id, '', product, meter, image_digest, price_id, band, rule_id, quantity from rtd_token_credit
           ) as credits
           where period = ? and tenant_id = ? and site_id = ? and workload_id = ? and product = ? and meter = ? and image_digest = ?
             and price_id = ? and band = ? and rule_id = ?`,
          (
            ['period', 'tenant_id', 'site_id', 'workload_id', 'product', 'meter', 'image_digest', 'price_id', 'band', 'rule_id'] as const
          ).map(text),
        )
      : await warehouse.query(
          `select cast(sum(amount) as bigint) as amount, sum(quantity) as total from rtd_quantity
           where period = ? and kind = ? and tenant_id = ? and site_id = ? and workload_id = ? and product = ? and meter = ? and image_digest = ?
             and price_id = ? and band = ? and coalesce(policy_id, '') = ?`,
          [
            ...[text('period'), text('kind'), text('tenant_id'), text('site_id'), text('workload_id'), text('product'), text('meter')],
            ...[text('image_digest'), text('price_id'), text('band'), text('policy_id')],
          ],
        );
  const [amount = null, total = null] = sums.rows[0] ?? [];
  return {
    amount,
    total: total ?? text('quantity'),
    on_line: text('quantity'),
    tier:
      tier === null
        ? null
        : {
            mode: tier['tier_mode'] ?? '',
            from_quantity: tier['from_quantity'] ?? '0',
            to_quantity: tier['to_quantity'] === OPEN_QUANTITY ? null : (tier['to_quantity'] ?? null),
          },
  };
}

async function creditOf(warehouse: Warehouse, line: TextRecord): Promise<Explanation['credit']> {
  const table = line['meter'] === 'gpu_hours' ? 'ref_credit_rule' : 'ref_token_credit';
  const rule = first(await warehouse.query(`select * from ${table} where rule_id = ? limit 1`, [line['rule_id'] ?? null])) ?? {};
  if (line['meter'] !== 'gpu_hours') return { rule, faults: [] };
  const faults = await warehouse.query(
    `select allocations.native_id, faults.fault, faults.xid, faults.fault_ms, faults.credited_ms, allocations.node, allocations.state
     from rtd_fault as faults
     inner join fct_allocation as allocations on allocations.allocation_id = faults.allocation_id
     where faults.rule_id = ? and allocations.site_id = ? and allocations.workload_id = ? and allocations.tenant_id = ?
     order by faults.fault_ms, allocations.allocation_id`,
    [line['rule_id'] ?? null, line['site_id'] ?? null, line['workload_id'] ?? null, line['tenant_id'] ?? null],
  );
  return { rule, faults: records(faults) };
}

async function gangOf(warehouse: Warehouse, about: readonly SqlValue[]): Promise<TextRecord[]> {
  return records(
    await warehouse.query(
      `select allocations.gang, allocations.native_id, allocations.accelerator_count, allocations.start_at_ms, allocations.running_at_ms,
         cast(sum(pieces.gpu_ms) as bigint) as waited_gpu_ms
       from rtd_allocation_piece as pieces
       inner join fct_allocation as allocations on allocations.allocation_id = pieces.allocation_id
       where pieces.period = ? and pieces.kind = 'gang_wait' and allocations.site_id = ? and allocations.workload_id = ?
       group by allocations.gang, allocations.native_id, allocations.accelerator_count, allocations.start_at_ms, allocations.running_at_ms
       order by allocations.start_at_ms, allocations.native_id`,
      about,
    ),
  );
}

async function outagesOf(warehouse: Warehouse, about: readonly SqlValue[]): Promise<TextRecord[]> {
  return records(
    await warehouse.query(
      `select distinct outages.node, outages.kind, outages.accelerator_count, outages.from_ms, outages.to_ms
       from fct_allocation as allocations
       inner join rtd_allocation_piece as pieces on pieces.allocation_id = allocations.allocation_id and pieces.period = ?
       inner join ref_outage as outages
         on outages.site_id = allocations.site_id and outages.node = allocations.node
         and outages.from_ms < allocations.end_at_ms and outages.to_ms > allocations.start_at_ms
       where allocations.site_id = ? and allocations.workload_id = ? order by outages.from_ms, outages.node`,
      about,
    ),
  );
}

/** Cuts that are not the allocation's own start or end, each once. */
function cutsIn(rows: readonly TextRecord[]): Cut[] {
  const found = new Map<string, Cut>();
  for (const row of rows) {
    for (const [instant, reason] of [
      [row['start_ms'], row['start_cut']],
      [row['end_ms'], row['end_cut']],
    ] as const) {
      if (instant === undefined || instant === null || reason === undefined || reason === null || reason === 'allocation') continue;
      found.set(`${instant} ${reason}`, { at_ms: instant, reason: reason as CutReason });
    }
  }
  return [...found.values()].sort((left, right) => Number(left.at_ms) - Number(right.at_ms));
}
