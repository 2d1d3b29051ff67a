-- Accelerator time that workloads held, apart from what failed and what waited.
-- Grain: one workload, tenant, site, accelerator model, kind and outcome in a period
-- Key: period, tenant_id, site_id, accelerator_model, workload_id, kind, failed
-- Inputs: rtd_allocation_piece, fct_allocation
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who holds; empty where nobody does
--   site_id varchar: site
--   accelerator_model varchar: catalog model; empty where it is unknown
--   workload_id varchar: job or service
--   kind varchar: as in rtd_allocation_piece
--   failed boolean: it ended badly, so that it has to be computed again
--   allocations bigint: how many
--   gpu_ms bigint [ms]: held, × accelerators
--   hours decimal(20,6) [GPU-hours]: the same
-- Rules: an allocation failed when the source's last state word says so, or when the provider took it (node lost, preempted).
-- Source: SPEC 9, 10
with
held as (
  select
    pieces.period,
    coalesce(allocations.tenant_id, '') as tenant_id,
    allocations.site_id,
    coalesce(allocations.accelerator_model, '') as accelerator_model,
    allocations.workload_id,
    pieces.kind,
    (upper(coalesce(allocations.state, '')) in ('FAILED', 'NODE_FAIL', 'TIMEOUT', 'OUT_OF_MEMORY', 'BOOT_FAIL', 'DEADLINE', 'PREEMPTED', 'EVICTED', 'ERROR', 'OOMKILLED') or allocations.fault is not null) as failed,
    allocations.allocation_id,
    pieces.gpu_ms
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  where pieces.gpu_ms > 0
)
select
  period,
  tenant_id,
  site_id,
  accelerator_model,
  workload_id,
  kind,
  failed,
  count(distinct allocation_id) as allocations,
  cast(sum(gpu_ms) as bigint) as gpu_ms,
  cast(round(cast(sum(gpu_ms) as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as hours
from held
group by period, tenant_id, site_id, accelerator_model, workload_id, kind, failed
