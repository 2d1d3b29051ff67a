/**
 * What somebody who knows DuckDB and this data would write by hand for the same answer. It is told what kashi has to find out: that a sample speaks for
 * a minute and is there once, that a hold is one accelerator, which column names the holder, that no price changes within the month.
 */
import { sqlText } from '../ingest/peer-sql.ts';
import {
  BOOST_MHZ,
  END_MS,
  GPU_PRICE,
  INTERVAL_MS,
  METERS,
  MODELS,
  PENALTY_BELOW,
  PENALTY_FACTOR,
  START_MS,
  TEAMS,
  TENANTS,
} from './month.ts';

const HOUR_MS = 3_600_000;

/** Statements before the answer, and the one that gives it: lines, gpu_hours, gpu_amount, million_tokens, token_amount as text. */
export function handSql(warehouse: string): { readonly before: readonly string[]; readonly answer: string } {
  const files = (dataset: string): string => sqlText(`${warehouse}/data/${dataset}/*/*.parquet`);
  return {
    before: [
      `create view tokens as select *, cast(regexp_extract(filename, 'bench-(\\d+)', 1) as integer) as part from read_parquet(${files('token_usage')}, filename = true)`,
      `create view samples as select * from read_parquet(${files('gpu_sample')})`,
      `create view observations as select * from read_parquet(${files('allocation_event')})`,
      TENANT_MAP,
      PRICES,
      LOSERS,
      HOLDS,
      EVIDENCE,
    ],
    answer: ANSWER,
  };
}

const two = (no: string): string => `lpad(cast(${no} as varchar), 2, '0')`;
const TENANT_MAP = `create table payers as
  select 'team-' || lpad(cast(team as varchar), 3, '0') as tenant_key, 'tenant-' || ${two(`team % ${TENANTS}`)} as tenant from range(${TEAMS}) as teams (team)
  union all select 'ns-' || ${two('no')}, 'tenant-' || ${two('no')} from range(${TENANTS}) as tenants (no)`;

const PRICES = `create table prices as select model, meter, cast(price as decimal(38,10)) as price from (values ${MODELS.flatMap(
  ({ name, perMillion }) => METERS.map((meter) => `('${name}', '${meter}', '${perMillion[meter]}')`),
).join(', ')}) as listed (model, meter, price)`;

/** Rows that were logged again: of each key all but the first. Hashes first, because keys of 36 bytes would not fit into memory. */
const LOSERS = `create table losers as
  with again as (select hash(native_id) as key_hash from tokens group by all having count(*) > 1)
  select object_id, line from tokens semi join again on again.key_hash = hash(tokens.native_id)
  qualify row_number() over (partition by native_id order by part, line) > 1`;

const HOLDS = `create table holds as
  select workload_id, tenant_key, coalesce(any_value(namespace) || '/' || any_value(pod), any_value(device_ids)) as holder,
    any_value(start_at_ms) as start_ms, max(end_at_ms) as end_ms
  from observations group by source, native_id, workload_id, tenant_key`;

/** Holds cut at hours, samples joined on holder and hour. */
const EVIDENCE = `create table evidence as
  with pieces as (
    select workload_id, holder, hour, greatest(start_ms, hour * ${HOUR_MS}) as start_ms, least(end_ms, (hour + 1) * ${HOUR_MS}) as end_ms
    from (select *, unnest(generate_series(start_ms // ${HOUR_MS}, (end_ms - 1) // ${HOUR_MS})) as hour from holds)
  )
  select workload_id, sum(overlap_ms) as sampled_ms, sum(tensor_active * sm_clock_mhz * overlap_ms) as weight
  from (
    select workload_id, cast(tensor_active as decimal(9,6)) as tensor_active, cast(sm_clock_mhz as integer) as sm_clock_mhz,
      least(end_ms, sampled_at_ms + ${INTERVAL_MS}) - greatest(start_ms, sampled_at_ms) as overlap_ms
    from samples
    inner join pieces
      on pieces.holder = coalesce(samples.namespace || '/' || samples.pod, samples.device_id)
      and pieces.hour = samples.sampled_at_ms // ${HOUR_MS}
      and samples.sampled_at_ms < pieces.end_ms
      and samples.sampled_at_ms + ${INTERVAL_MS} > pieces.start_ms
  ) group by workload_id`;

const ANSWER = `with used as (
    select tenant_key, site_id, model,
      ${METERS.map((meter) => `sum(${meter}_tokens) as ${meter}`).join(', ')}
    from tokens anti join losers using (object_id, line)
    where status = 'success' and event_at_ms >= ${START_MS} and event_at_ms < ${END_MS}
    group by all
  ),
  by_tenant as (
    select tenant, site_id, model, ${METERS.map((meter) => `sum(${meter}) as ${meter}`).join(', ')}
    from used inner join payers using (tenant_key) group by all
  ),
  token_lines as (
    select cast(tokens as decimal(38,0)) * cast('0.000001' as decimal(7,6)) as quantity, price
    from (unpivot by_tenant on ${METERS.join(', ')} into name meter value tokens)
    inner join prices using (model, meter)
    where tokens > 0
  ),
  token_amounts as (
    select quantity, cast(round(cast(quantity as decimal(38,6)) * cast(price as decimal(38,10)), 2) as decimal(38,2)) as amount from token_lines
  ),
  jobs as (select tenant, workload_id, sum(end_ms - start_ms) as held_ms from holds inner join payers using (tenant_key) group by all),
  gpu_lines as (
    select cast(round(cast(held_ms as decimal(14,0)) * cast('0.000000277777777777777778' as decimal(24,24)), 6) as decimal(20,6)) as quantity,
      case when weight < cast('${PENALTY_BELOW}' as decimal(9,6)) * ${BOOST_MHZ} * sampled_ms and sampled_ms * 10 >= held_ms * 9
        then cast('${PENALTY_FACTOR}' as decimal(4,2)) else cast('1.00' as decimal(4,2)) end as factor
    from jobs left join evidence using (workload_id)
  ),
  gpu_amounts as (
    select quantity, cast(round(cast(quantity as decimal(38,6)) * cast(cast('${GPU_PRICE}' as decimal(12,10)) * factor as decimal(38,10)), 2) as decimal(38,2)) as amount from gpu_lines
  )
  select cast((select count(*) from gpu_amounts) + (select count(*) from token_amounts) as varchar) as lines,
    cast((select sum(quantity) from gpu_amounts) as varchar) as gpu_hours, cast((select sum(amount) from gpu_amounts) as varchar) as gpu_amount,
    cast((select cast(sum(quantity) as decimal(38,6)) from token_amounts) as varchar) as million_tokens,
    cast((select sum(amount) from token_amounts) as varchar) as token_amount`;
