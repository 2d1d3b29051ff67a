-- Accelerator readings, the repeats and the parts of one instant merged.
-- Grain: one accelerator, workload label and instant
-- Key: site_id, node, device_id, namespace, pod, sampled_at_ms
-- Inputs: raw_gpu_sample, ref_accelerator_alias
-- Columns:
--   sampled_at timestamp(3) [UTC]: instant of the reading
--   sampled_at_ms bigint [epoch ms UTC]: the same instant
--   site_id varchar: site
--   node varchar: host
--   device_id varchar: accelerator UUID, with /instance for a partition
--   device_index varchar: index on the node
--   accelerator_model varchar: catalog model, or the exporter's word when the catalog does not know it
--   tensor_active decimal(18,9) [ratio 0–1]: tensor pipe (NPU: AI core) active
--   sm_active decimal(18,9) [ratio 0–1]: SM active
--   engine_active decimal(18,9) [ratio 0–1]: graphics or compute engine active
--   gpu_util decimal(18,9) [% 0–100]: any kernel running; not an HFU
--   sm_clock_mhz decimal(18,9) [MHz]: SM clock
--   power_watts decimal(18,9) [W]: power draw
--   energy_mj bigint [mJ]: energy counter
--   memory_used_mib decimal(18,9) [MiB]: frame buffer in use
--   temperature_c decimal(18,9) [°C]: die temperature
--   xid bigint: last Xid code
--   namespace varchar: namespace of the workload
--   pod varchar: pod of the workload
--   job_id varchar: HPC job id
-- Rules: of two values for one metric and instant the first committed wins.
-- Source: SPEC 12
with
readings as (
  select raw_gpu_sample.*, fold_order * 10000000000 + line as position from raw_gpu_sample
),
merged as (
  select
    sampled_at_ms,
    site_id,
    node,
    device_id,
    namespace,
    pod,
    job_id,
    min(device_index) as device_index,
    min(accelerator_model) as accelerator_model,
    min_by(tensor_active, position) filter (where tensor_active is not null) as tensor_active,
    min_by(sm_active, position) filter (where sm_active is not null) as sm_active,
    min_by(engine_active, position) filter (where engine_active is not null) as engine_active,
    min_by(gpu_util, position) filter (where gpu_util is not null) as gpu_util,
    min_by(sm_clock_mhz, position) filter (where sm_clock_mhz is not null) as sm_clock_mhz,
    min_by(power_watts, position) filter (where power_watts is not null) as power_watts,
    min_by(energy_mj, position) filter (where energy_mj is not null) as energy_mj,
    min_by(memory_used_mib, position) filter (where memory_used_mib is not null) as memory_used_mib,
    min_by(temperature_c, position) filter (where temperature_c is not null) as temperature_c,
    min_by(xid, position) filter (where xid is not null) as xid
  from readings
  group by sampled_at_ms, site_id, node, device_id, namespace, pod, job_id
)
select
  cast(from_unixtime_nanos(merged.sampled_at_ms * 1000000) as timestamp(3)) as sampled_at,
  merged.sampled_at_ms,
  merged.site_id,
  merged.node,
  merged.device_id,
  merged.device_index,
  coalesce(aliases.accelerator_model, merged.accelerator_model) as accelerator_model,
  merged.tensor_active,
  merged.sm_active,
  merged.engine_active,
  merged.gpu_util,
  merged.sm_clock_mhz,
  merged.power_watts,
  merged.energy_mj,
  merged.memory_used_mib,
  merged.temperature_c,
  merged.xid,
  merged.namespace,
  merged.pod,
  merged.job_id
from merged
left join ref_accelerator_alias as aliases
  on aliases.alias = lower(trim(merged.accelerator_model))
