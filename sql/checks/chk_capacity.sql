-- Pools in which more accelerator time was allocated or out of service than they have.
-- Kind: finding
-- Grain: one site, accelerator model and period
-- Key: period, site_id, accelerator_model
-- Inputs: rtd_capacity
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   accelerator_model varchar: catalog model
--   capacity_gpu_ms bigint: capacity
--   allocated_gpu_ms bigint: allocated
--   maintenance_gpu_ms bigint: in maintenance
--   lost_gpu_ms bigint: lost
-- Rules: idle is what remains of capacity; below zero the inventory or the scheduler records are wrong.
-- Source: SPEC 4
with
pools as (
  select * from rtd_capacity
)
select
  period,
  site_id,
  accelerator_model,
  capacity_gpu_ms,
  allocated_gpu_ms,
  maintenance_gpu_ms,
  lost_gpu_ms
from pools
where idle_gpu_ms < 0
