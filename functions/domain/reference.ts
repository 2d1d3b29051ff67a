/**
 * The reference tables that rating reads beside the facts: what reviewed configuration says, flattened for SQL.
 * Built from price book, tenant map, inventory and kashi.yaml for one period. Empty text means "any"; a null `to_…` means "no end".
 */
import type { Column } from '../datasets.ts';

const PRICE = 'DECIMAL(18,10)';
const RATIO = 'DECIMAL(10,6)';
const QUANTITY = 'DECIMAL(20,6)';

export interface ReferenceTable {
  readonly name: string;
  readonly grain: string;
  readonly columns: readonly Column[];
}

const FROM_TO: readonly Column[] = [
  { name: 'from_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'inclusive' },
  { name: 'to_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'exclusive; the largest instant when open' },
];

function table(name: string, grain: string, columns: readonly Column[]): ReferenceTable {
  return { name, grain, columns };
}

export const REFERENCE = {
  ref_period: table('ref_period', 'one billed period; rating answers for exactly these', [
    { name: 'period', type: 'VARCHAR', meaning: 'yyyy-mm' },
    { name: 'start_ms', type: 'BIGINT', meaning: 'inclusive' },
    { name: 'end_ms', type: 'BIGINT', meaning: 'exclusive' },
  ]),
  ref_setting: table('ref_setting', 'one row of settings', [
    { name: 'currency', type: 'VARCHAR', meaning: 'ISO 4217' },
    { name: 'sample_interval_ms', type: 'BIGINT', meaning: 'scrape period of accelerator samples' },
    { name: 'sample_carry_ms', type: 'BIGINT', meaning: 'longest time one sample may speak for' },
    { name: 'unmapped_as_is', type: 'BOOLEAN', meaning: 'an unmapped tenant key is its own tenant' },
    {
      name: 'correct_from_ms',
      type: 'BIGINT',
      unit: 'epoch ms UTC',
      nullable: true,
      meaning: 'what happened before is corrected no more; null when no limit is set',
    },
  ]),
  ref_tenant_key: table('ref_tenant_key', 'one source key of one tenant, effective-dated', [
    { name: 'tenant_key', type: 'VARCHAR', meaning: 'as the source prints it' },
    { name: 'tenant_id', type: 'VARCHAR', meaning: 'who is billed' },
    ...FROM_TO,
  ]),
  ref_site: table('ref_site', 'one site', [
    { name: 'site_id', type: 'VARCHAR', meaning: 'site' },
    { name: 'tier', type: 'VARCHAR', meaning: 'hq | edge' },
    { name: 'region', type: 'VARCHAR', meaning: 'region' },
    { name: 'bills_gpu_hours', type: 'BOOLEAN', meaning: 'GPU-hours are charged to tenants here' },
    { name: 'bills_tokens', type: 'BOOLEAN', meaning: 'tokens are charged to tenants here' },
  ]),
  ref_capacity: table('ref_capacity', 'accelerators of one node, effective-dated', [
    { name: 'site_id', type: 'VARCHAR', meaning: 'site' },
    { name: 'node', type: 'VARCHAR', meaning: 'node name' },
    { name: 'accelerator_model', type: 'VARCHAR', meaning: 'catalog model' },
    { name: 'accelerator_count', type: 'DECIMAL(12,6)', meaning: 'accelerators in the node' },
    ...FROM_TO,
  ]),
  ref_outage: table('ref_outage', 'accelerators out of service', [
    { name: 'site_id', type: 'VARCHAR', meaning: 'site' },
    { name: 'node', type: 'VARCHAR', meaning: 'node name' },
    { name: 'accelerator_count', type: 'DECIMAL(12,6)', meaning: 'accelerators out of service' },
    { name: 'kind', type: 'VARCHAR', meaning: 'maintenance | lost' },
    ...FROM_TO,
  ]),
  ref_accelerator: table('ref_accelerator', 'one catalog model', [
    { name: 'accelerator_model', type: 'VARCHAR', meaning: 'catalog model, lower case' },
    { name: 'boost_clock_mhz', type: 'DECIMAL(18,9)', nullable: true, meaning: 'clock at which the peak holds; null when unknown' },
    { name: 'mfu_ceiling', type: RATIO, nullable: true, meaning: 'highest MFU ever measured; a declared one above is refused' },
  ]),
  ref_accelerator_alias: table('ref_accelerator_alias', 'one name by which sources call a model', [
    { name: 'alias', type: 'VARCHAR', meaning: 'lower-case name as printed by exporters, resources or gres types' },
    { name: 'accelerator_model', type: 'VARCHAR', meaning: 'catalog model' },
  ]),
  ref_peak: table('ref_peak', 'dense peak of one model at one precision', [
    { name: 'accelerator_model', type: 'VARCHAR', meaning: 'catalog model' },
    { name: 'precision', type: 'VARCHAR', meaning: 'bf16 | fp16 | fp8 | tf32 | fp32' },
    { name: 'peak_flops', type: 'DECIMAL(38,0)', meaning: 'FLOP/s, dense' },
    { name: 'peak_version', type: 'VARCHAR', meaning: 'version of the peak table' },
  ]),
  ref_segment: table('ref_segment', 'one span of a period inside which no price and no band changes', [
    { name: 'period', type: 'VARCHAR', meaning: 'yyyy-mm' },
    { name: 'segment_no', type: 'BIGINT', meaning: 'from 0 within the period, in time order' },
    { name: 'start_ms', type: 'BIGINT', meaning: 'inclusive' },
    { name: 'end_ms', type: 'BIGINT', meaning: 'exclusive' },
    { name: 'band', type: 'VARCHAR', meaning: 'tariff band when time of use is on, else empty' },
  ]),
  ref_price: table('ref_price', 'one price entry', [
    { name: 'price_id', type: 'VARCHAR', meaning: 'id in the price book' },
    { name: 'product', type: 'VARCHAR', meaning: 'accelerator model, or model name' },
    { name: 'meter', type: 'VARCHAR', meaning: 'gpu_hours | input_uncached | input_cache_read | input_cache_write | output' },
    { name: 'tenant_id', type: 'VARCHAR', meaning: 'tenant of a rate card, empty for everybody' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site, empty for all' },
    { name: 'image_digest', type: 'VARCHAR', meaning: 'release, empty for all' },
    { name: 'band', type: 'VARCHAR', meaning: 'tariff band, empty for all' },
    { name: 'specificity', type: 'BIGINT', meaning: 'the matching entry with the highest wins: tenant 8, digest 4, site 2, band 1' },
    { name: 'tier_mode', type: 'VARCHAR', meaning: 'graduated | volume' },
    { name: 'approved_by', type: 'VARCHAR', meaning: 'who approved it' },
    ...FROM_TO,
  ]),
  ref_price_tier: table('ref_price_tier', 'one tier of one row of ref_price; each has at least one, together covering [0, ∞)', [
    { name: 'price_id', type: 'VARCHAR', meaning: 'price' },
    { name: 'meter', type: 'VARCHAR', meaning: 'meter, as in ref_price' },
    { name: 'band', type: 'VARCHAR', meaning: 'band, as in ref_price' },
    { name: 'tier_no', type: 'BIGINT', meaning: 'from 0' },
    { name: 'from_quantity', type: QUANTITY, meaning: 'inclusive, in the unit of the line' },
    { name: 'to_quantity', type: QUANTITY, meaning: 'exclusive; 99999999999999 when open' },
    { name: 'unit_price', type: PRICE, meaning: 'list price per GPU-hour or per million tokens' },
  ]),
  ref_allowance: table('ref_allowance', 'free quantity of one tenant, product and meter a period', [
    { name: 'tenant_id', type: 'VARCHAR', meaning: 'tenant, empty for each tenant' },
    { name: 'product', type: 'VARCHAR', meaning: 'product, as in ref_price' },
    { name: 'meter', type: 'VARCHAR', meaning: 'meter, as in ref_price' },
    { name: 'quantity', type: QUANTITY, meaning: 'free, used first' },
    ...FROM_TO,
  ]),
  ref_adjustment: table('ref_adjustment', 'one adjustment policy, effective-dated', [
    { name: 'policy_id', type: 'VARCHAR', meaning: 'id in the price book' },
    { name: 'rule', type: 'VARCHAR', meaning: 'step | curve' },
    { name: 'enforcement', type: 'VARCHAR', meaning: 'enforce | shadow' },
    { name: 'metric', type: 'VARCHAR', meaning: 'curve only: hfu | mfu' },
    { name: 'low_threshold', type: RATIO, meaning: 'step: HFU strictly below is penalised' },
    { name: 'low_factor', type: RATIO, meaning: 'step: factor of the penalty' },
    { name: 'high_threshold', type: RATIO, meaning: 'step: MFU strictly above is rewarded' },
    { name: 'high_factor', type: RATIO, meaning: 'step: factor of the reward' },
    { name: 'min_coverage', type: RATIO, meaning: 'below it the adjustment is unrated' },
    { name: 'proxy', type: 'VARCHAR', meaning: 'none | penalty | penalty_and_reward: what GPU_UTIL may decide when no HFU is known' },
    { name: 'mfu_tolerance', type: RATIO, meaning: 'how far a declared MFU may exceed the measured HFU' },
    { name: 'revenue_neutral', type: 'BOOLEAN', meaning: 'curve: scale factors so that their total effect is zero' },
    { name: 'approved_by', type: 'VARCHAR', meaning: 'who approved it' },
    ...FROM_TO,
  ]),
  ref_curve: table('ref_curve', 'one straight piece of a curve policy; pieces tile [0, 1]', [
    { name: 'policy_id', type: 'VARCHAR', meaning: 'policy' },
    { name: 'x_from', type: RATIO, meaning: 'inclusive' },
    { name: 'x_to', type: RATIO, meaning: 'exclusive; above 1 for the last' },
    { name: 'y_from', type: RATIO, meaning: 'factor at x_from' },
    { name: 'slope', type: PRICE, meaning: 'factor per unit of the metric, quantised' },
  ]),
  ref_exemption: table('ref_exemption', 'one exemption from a policy', [
    { name: 'policy_id', type: 'VARCHAR', meaning: 'policy' },
    { name: 'kind', type: 'VARCHAR', meaning: 'queue | label | tenant | shorter_than_ms' },
    { name: 'value', type: 'VARCHAR', meaning: 'queue, key=value, tenant id, or milliseconds as digits' },
    ...FROM_TO,
  ]),
  ref_token_policy: table('ref_token_policy', 'whether attempts of a status are charged in a period', [
    { name: 'period', type: 'VARCHAR', meaning: 'yyyy-mm' },
    { name: 'status', type: 'VARCHAR', meaning: 'success | failure | cache_hit | not_billable' },
    { name: 'charged', type: 'BOOLEAN', meaning: 'charged' },
  ]),
  ref_credit_rule: table('ref_credit_rule', 'one rule that credits a provider fault', [
    { name: 'rule_id', type: 'VARCHAR', meaning: 'id in the price book' },
    { name: 'fault', type: 'VARCHAR', meaning: 'node_lost | preempted | xid' },
    { name: 'xid', type: 'BIGINT', nullable: true, meaning: 'the Xid code, for fault xid' },
    { name: 'credited_ms', type: 'BIGINT', meaning: 'longest time before the fault that is credited' },
    { name: 'approved_by', type: 'VARCHAR', meaning: 'who approved it' },
    ...FROM_TO,
  ]),
  ref_token_credit: table('ref_token_credit', 'one order that tokens be given back', [
    { name: 'rule_id', type: 'VARCHAR', meaning: 'id in the price book' },
    { name: 'model', type: 'VARCHAR', meaning: 'model that is priced' },
    { name: 'image_digest', type: 'VARCHAR', meaning: 'image that served, empty for any' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site, empty for all' },
    { name: 'tenant_id', type: 'VARCHAR', meaning: 'tenant, empty for everybody' },
    { name: 'reason', type: 'VARCHAR', meaning: 'why' },
    { name: 'approved_by', type: 'VARCHAR', meaning: 'who ordered it' },
    ...FROM_TO,
  ]),
  ref_pool_cost: table('ref_pool_cost', 'cost of one pool in one period', [
    { name: 'period', type: 'VARCHAR', meaning: 'yyyy-mm' },
    { name: 'pool_id', type: 'VARCHAR', meaning: 'id in the price book' },
    { name: 'accelerator_model', type: 'VARCHAR', meaning: 'catalog model' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site, empty for all; its own wins' },
    {
      name: 'cost_per_gpu_hour',
      type: PRICE,
      meaning: 'per GPU-hour of capacity, sold or not; the sum of the components where there are any',
    },
    { name: 'c_hw', type: PRICE, nullable: true, meaning: 'hardware; null when the cost is stated whole' },
    { name: 'c_power', type: PRICE, nullable: true, meaning: 'electricity' },
    { name: 'c_idc', type: PRICE, nullable: true, meaning: 'rack and bandwidth' },
    { name: 'c_sw_om', type: PRICE, nullable: true, meaning: 'labour and licences' },
    { name: 'approved_by', type: 'VARCHAR', meaning: 'who approved it' },
  ]),
  ref_power_span: table('ref_power_span', 'one span of a period with one electricity price, of one pool whose tariff has bands', [
    { name: 'period', type: 'VARCHAR', meaning: 'yyyy-mm' },
    { name: 'pool_id', type: 'VARCHAR', meaning: 'pool, as in ref_pool_cost' },
    { name: 'band', type: 'VARCHAR', meaning: 'electricity band' },
    { name: 'start_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'inclusive' },
    { name: 'end_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'exclusive' },
    { name: 'power_per_gpu_hour', type: PRICE, meaning: 'electricity of a GPU-hour in this band' },
    { name: 'cheapest_per_gpu_hour', type: PRICE, meaning: 'electricity of a GPU-hour in the cheapest band of the period' },
  ]),
  ref_release: table('ref_release', 'one model release', [
    { name: 'release_id', type: 'VARCHAR', meaning: 'id in the price book' },
    { name: 'model', type: 'VARCHAR', meaning: 'model that is priced' },
    { name: 'image_digest', type: 'VARCHAR', meaning: 'serving image, empty for all' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site, empty for all' },
    { name: 'specificity', type: 'BIGINT', meaning: 'the matching release with the highest wins: digest 2, site 1' },
    { name: 'other_training_cost', type: 'DECIMAL(38,2)', meaning: 'what training cost outside the centre' },
    ...FROM_TO,
  ]),
  ref_release_workload: table('ref_release_workload', 'one workload that serves or trained a release', [
    { name: 'release_id', type: 'VARCHAR', meaning: 'release' },
    { name: 'role', type: 'VARCHAR', meaning: 'serving | training' },
    { name: 'workload_id', type: 'VARCHAR', meaning: 'workload, as in fct_allocation' },
  ]),
  ref_edge_rollout: table('ref_edge_rollout', 'one release at one edge: its way there, and while it was live', [
    { name: 'service', type: 'VARCHAR', meaning: 'service' },
    { name: 'generation', type: 'BIGINT', meaning: 'promotion or rollback of the service, counted from 1' },
    { name: 'kind', type: 'VARCHAR', meaning: 'promotion | rollback' },
    { name: 'edge_id', type: 'VARCHAR', meaning: 'edge' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'its site' },
    { name: 'wave', type: 'BIGINT', meaning: 'from 1' },
    { name: 'model', type: 'VARCHAR', meaning: 'model that is priced' },
    { name: 'model_version', type: 'VARCHAR', meaning: 'version' },
    { name: 'release_id', type: 'VARCHAR', meaning: 'release' },
    { name: 'image_digest', type: 'VARCHAR', meaning: 'its image, sha256:…' },
    { name: 'training_job', type: 'VARCHAR', meaning: 'workload that trained it; empty when unknown' },
    { name: 'bytes_moved', type: 'BIGINT', unit: 'bytes', meaning: 'copied to the edge' },
    { name: 'promoted_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 't0' },
    { name: 'replicated_ms', type: 'BIGINT', unit: 'epoch ms UTC', nullable: true, meaning: 't5; null when not seen' },
    { name: 'verified_ms', type: 'BIGINT', unit: 'epoch ms UTC', nullable: true, meaning: 't6' },
    { name: 'committed_ms', type: 'BIGINT', unit: 'epoch ms UTC', nullable: true, meaning: 't7' },
    { name: 'synced_ms', type: 'BIGINT', unit: 'epoch ms UTC', nullable: true, meaning: 't8' },
    { name: 'live_ms', type: 'BIGINT', unit: 'epoch ms UTC', nullable: true, meaning: 't9, inclusive; null when it never was' },
    { name: 'until_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'exclusive; the largest instant while it is live' },
    { name: 'rolled_back', type: 'BOOLEAN', meaning: 'it was taken back by a rollback' },
  ]),
  ref_budget: table('ref_budget', 'one budget or quota of a month', [
    { name: 'budget_id', type: 'VARCHAR', meaning: 'id in the price book' },
    { name: 'tenant_id', type: 'VARCHAR', meaning: 'tenant, empty for the whole centre' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site, empty for all' },
    { name: 'product', type: 'VARCHAR', meaning: 'accelerator model or model name, empty for all' },
    { name: 'measure', type: 'VARCHAR', meaning: 'amount | gpu_hours | million_tokens' },
    { name: 'limit_value', type: QUANTITY, meaning: 'limit of a month, in the measure' },
    ...FROM_TO,
  ]),
  ref_promise: table(
    'ref_promise',
    'what a producer promised about whole hours: totals it counted itself, known requests, or that there is data',
    [
      { name: 'promise_id', type: 'VARCHAR', meaning: 'kind:source/site/from, its name in a waiver' },
      { name: 'kind', type: 'VARCHAR', meaning: 'control (its own totals) | canary (synthetic requests) | hourly (data in every hour)' },
      { name: 'source', type: 'VARCHAR', nullable: true, meaning: 'source name; null for all sources of the site' },
      { name: 'site_id', type: 'VARCHAR', meaning: 'site' },
      { name: 'tenant_id', type: 'VARCHAR', nullable: true, meaning: 'only requests of this tenant (canary)' },
      { name: 'requests', type: 'BIGINT', nullable: true, meaning: 'request attempts; null when not stated' },
      { name: 'input_tokens', type: 'BIGINT', unit: 'tokens', nullable: true, meaning: 'all input classes; null when not stated' },
      { name: 'output_tokens', type: 'BIGINT', unit: 'tokens', nullable: true, meaning: 'output; null when not stated' },
      ...FROM_TO,
    ],
  ),
  ref_issued_line: table('ref_issued_line', 'one line issued for the period so far: of its bill, or a correction of it', [
    { name: 'line_id', type: 'VARCHAR', meaning: 'line of the bill of the period that this is, or corrects' },
    { name: 'tenant_id', type: 'VARCHAR', meaning: 'who was billed' },
    { name: 'kind', type: 'VARCHAR', meaning: 'kind of that line' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site' },
    { name: 'sku', type: 'VARCHAR', meaning: 'accelerator model, or model:meter' },
    { name: 'workload_id', type: 'VARCHAR', meaning: 'job or service; empty for tokens' },
    { name: 'image_digest', type: 'VARCHAR', meaning: 'serving image; empty when unknown' },
    { name: 'band', type: 'VARCHAR', meaning: 'tariff band; empty without time of use' },
    { name: 'price_id', type: 'VARCHAR', meaning: 'price' },
    { name: 'tier_no', type: 'BIGINT', meaning: 'tier of the price' },
    { name: 'policy_id', type: 'VARCHAR', nullable: true, meaning: 'adjustment policy' },
    { name: 'rule_id', type: 'VARCHAR', nullable: true, meaning: 'credit rule' },
    { name: 'unit', type: 'VARCHAR', meaning: 'unit of the quantity' },
    { name: 'quantity', type: QUANTITY, meaning: 'issued, negative for what a correction took back' },
    { name: 'list_unit_price', type: PRICE, meaning: 'list price' },
    { name: 'factor', type: RATIO, meaning: 'factor charged' },
    { name: 'unit_price', type: PRICE, meaning: 'list price × factor' },
    { name: 'amount', type: 'DECIMAL(38,2)', meaning: 'issued' },
  ]),
} as const satisfies Record<string, ReferenceTable>;

export type ReferenceName = keyof typeof REFERENCE;

/** "No end" in every `to_ms`: 2262-04-11, far beyond any period and safe in every engine. */
export const NO_END_MS = 9_223_372_036_854;

export type ReferenceRow = Readonly<Record<string, string | number | bigint | boolean | null>>;
export type ReferenceRows = { readonly [K in ReferenceName]: readonly ReferenceRow[] };
