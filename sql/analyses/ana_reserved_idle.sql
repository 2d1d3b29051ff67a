-- Quota that was reserved and that no pod held.
-- Grain: one tenant, site, workload and period
-- Key: period, tenant_id, site_id, workload_id
-- Inputs: fct_reservation, ref_period, ana_hour_value
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who holds or pays; empty where nobody does
--   site_id varchar: site
--   product varchar: accelerator model or model name
--   workload_id varchar: job or service; empty for a pool or tokens
--   quantity decimal(20,6): GPU-hours reserved and not held
--   unit varchar: GPU-Hours
--   unit_value decimal(18,10): lowest value of an hour among the pools of the site
--   amount decimal(38,2): quantity × unit_value, rounded once
--   basis varchar: cost or list_price
--   evidence varchar: what was measured
-- Rules: a reservation that crosses a month is shared by time; the time is part of the idle time of its pool.
-- Source: SPEC 10
with
spans as (
  select
    periods.period,
    coalesce(reservations.tenant_id, '') as tenant_id,
    reservations.site_id,
    reservations.workload_id,
    reservations.queue,
    cast(div_half_up(
      cast(reservations.idle_gpu_ms as decimal(38, 0)) * cast(least(reservations.released_at_ms, periods.end_ms) - greatest(reservations.reserved_at_ms, periods.start_ms) as decimal(38, 0)),
      cast(reservations.released_at_ms - reservations.reserved_at_ms as decimal(38, 0))
    ) as bigint) as idle_gpu_ms
  from fct_reservation as reservations
  inner join ref_period as periods
    on reservations.reserved_at_ms < periods.end_ms
    and reservations.released_at_ms > periods.start_ms
  where reservations.idle_gpu_ms > 0
    and reservations.released_at_ms > reservations.reserved_at_ms
),
reserved as (
  select
    period, tenant_id, site_id, workload_id,
    min(coalesce(queue, '')) as queue,
    count(*) as reservations,
    cast(round(cast(sum(idle_gpu_ms) as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as hours
  from spans
  group by period, tenant_id, site_id, workload_id
),
cheapest as (
  select period, site_id, min(hour_value) as hour_value, min(basis) as basis
  from ana_hour_value
  where hour_value is not null
  group by period, site_id
)
select
  reserved.period,
  reserved.tenant_id,
  reserved.site_id,
  '' as product,
  reserved.workload_id,
  reserved.hours as quantity,
  'GPU-Hours' as unit,
  cast(cheapest.hour_value as decimal(18, 10)) as unit_value,
  cast(round(cast(reserved.hours as decimal(38, 6)) * cast(cheapest.hour_value as decimal(38, 10)), 2) as decimal(38, 2)) as amount,
  cheapest.basis,
  cast(reserved.reservations as varchar) || ' reserved in queue ' || reserved.queue as evidence
from reserved
inner join cheapest
  on cheapest.period = reserved.period
  and cheapest.site_id = reserved.site_id
where reserved.hours > cast(0 as decimal(20, 6))
