-- Pods that are not billed because the HPC job for which they run is.
-- Kind: finding
-- Grain: one pod
-- Key: pod_allocation_id
-- Inputs: stg_job_pod, ref_period
-- Columns:
--   pod_allocation_id varchar: allocation of the pod
--   job_allocation_id varchar: allocation of the job, which is billed
--   site_id varchar: site
--   job_id varchar: HPC job id
--   namespace varchar: Kubernetes namespace
--   pod varchar: Kubernetes pod
--   accelerator_count decimal(12,6): accelerators of the pod
-- Rules: pods that held devices in a billed period.
-- Source: SPEC 4
select
  pods.pod_allocation_id,
  pods.job_allocation_id,
  pods.site_id,
  pods.job_id,
  pods.namespace,
  pods.pod,
  pods.accelerator_count
from stg_job_pod as pods
inner join ref_period as periods
  on pods.start_at_ms < periods.end_ms
  and (pods.end_at_ms is null or pods.end_at_ms > periods.start_ms)
