/**
 * The rows of the generated month as SQL over row numbers: columns and types of kashi's datasets, in the order of DATASETS. Values follow from
 * the row's number and its hash alone, so that what was planted is counted from the same numbers without a file.
 */
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import {
  BOOST_MHZ,
  EDGES,
  END_MS,
  HFU_LEVELS,
  INTERVAL_MS,
  JOB_ALLOCATIONS,
  MINUTES,
  MODELS,
  type Shape,
  START_MS,
  TEAMS,
  TENANTS,
} from './month.ts';

const LENGTH_MS = END_MS - START_MS;
/** One request in so many is logged again in the next part; one in so many of these says something else the second time, and loses. */
const REPEATED = 200;
const CONFLICTING = 20_000;

const uuid = (of: string): string => `cast(cast(md5(${of}) as uuid) as varchar)`;

/** Requests that are one call of one team: a trace. */
const OF_A_TRACE = 3;

/** Requests `from` to `to` (exclusive), by number: `id`, `h` (their hash) and what is billed. Skewed: the busiest team has 6 % of them. */
export function requests(from: number, to: number, { rows }: Shape): string {
  return `select id, h, ${START_MS} + id * ${LENGTH_MS - 5_000} // ${rows} + h % 5000 as event_at_ms,
    (t % 10000) * (t % 10000) * ${TEAMS} // 100000000 as team,
    h // 65536 % ${MODELS.length} as model_no,
    case when h // 524288 % 1000 < 15 then 'failure' when h // 524288 % 1000 < 45 then 'cache_hit' else 'success' end as status,
    case when h // 524288 % 1000 < 45 then 0 else 50 + h // 33554432 % 4000 end as input_uncached,
    case when h // 524288 % 1000 < 45 or h // 4294967296 % 4 > 0 then 0 else 1 + h // 17179869184 % 2000 end as input_cache_read,
    case when h // 524288 % 1000 < 45 or h // 4294967296 % 16 > 0 then 0 else 1 + h // 17179869184 % 500 end as input_cache_write,
    case when h // 524288 % 1000 < 45 then 0 else 20 + h // 1099511627776 % 1500 end as output
  from (select i as id, cast(hash(i) // 2 as bigint) as h, cast(hash(i // ${OF_A_TRACE}) // 2 as bigint) as t from range(${from}, ${to}) as numbers (i))`;
}

/** token_usage of one part: its own requests, and repeats of the part before it at the end. */
export function tokenRows(part: number, shape: Shape): string {
  const bound = (at: number): number => Math.floor((at * shape.rows) / shape.requestParts);
  const repeats = `select id, h, event_at_ms, team, model_no, status, input_uncached, input_cache_read, input_cache_write,
    output + case when id % ${CONFLICTING} = 0 then 1 else 0 end as output,
    ${bound(part + 1) - bound(part) + 1} + id // ${REPEATED} - ${Math.floor(bound(part - 1) / REPEATED)} as line
    from (${requests(bound(part - 1), bound(part), shape)}) where id % ${REPEATED} = 0`;
  const own = `select *, id - ${bound(part) - 1} as line from (${requests(bound(part), bound(part + 1), shape)})`;
  const digests = MODELS.map(({ name }) => `'sha256:${sha256Hex(name)}'`).join(', ');
  return `select
    ${uuid('cast(id as varchar)')} as native_id,
    event_at_ms,
    'team-' || lpad(cast(team as varchar), 3, '0') as tenant_key,
    'edge-' || cast(team % ${EDGES} as varchar) as site_id,
    'model-' || cast(model_no as varchar) as model,
    'public-' || cast(model_no as varchar) as model_alias,
    [${digests}][model_no + 1] as image_digest,
    input_uncached as input_uncached_tokens,
    input_cache_read as input_cache_read_tokens,
    input_cache_write as input_cache_write_tokens,
    output as output_tokens,
    case when model_no % 2 = 0 then output // 3 end as reasoning_tokens,
    'provider' as usage_source,
    status,
    ${uuid(`'trace' || cast(id // ${OF_A_TRACE} as varchar)`)} as attempt_group,
    'litellm' as source,
    $object_id as object_id,
    line
  from (${part === 0 ? own : `${own} union all ${repeats}`})`;
}

/** Allocations, by number: one GPU after the other, on each without a gap but for a second. Even GPUs are held by pods, odd ones by batch jobs. */
export function allocations({ gpus, perGpu }: Shape): string {
  return `select gpu, turn, turn // ${JOB_ALLOCATIONS} as job, (gpu * 31 + turn // ${JOB_ALLOCATIONS} * 7) % ${TENANTS} as tenant,
    ${START_MS} + turn * ${LENGTH_MS} // ${perGpu} + gpu % 977 as start_at_ms,
    ${START_MS} + (turn + 1) * ${LENGTH_MS} // ${perGpu} + gpu % 977 - 1000 as end_at_ms
  from (select i // ${perGpu} as gpu, i % ${perGpu} as turn from range(${gpus * perGpu}) as numbers (i))`;
}

const device = (gpu: string): string => `'GPU-' || ${uuid(`'gpu' || cast(${gpu} as varchar)`)}`;
const node = (gpu: string): string => `'hq-gpu-' || lpad(cast(${gpu} // 8 as varchar), 4, '0')`;
const podOf = (gpu: string, turn: string): string => `'run-' || cast(${gpu} as varchar) || '-' || cast(${turn} as varchar)`;
const tenantName = "lpad(cast(tenant as varchar), 2, '0')";

/** allocation_event: a pod is seen when it starts and when it has ended, a batch job once. */
export function allocationRows(shape: Shape): string {
  const isPod = 'gpu % 2 = 0';
  const seen = (atStart: boolean): string =>
    `select *, ${atStart} as at_start from (${allocations(shape)})${atStart ? ` where ${isPod}` : ''}`;
  const nothing = 'cast(null as varchar)';
  return `select
    case when ${isPod} then pod_uid else job_no end as native_id,
    case when at_start then start_at_ms else end_at_ms end as observed_at_ms,
    'ns-' || ${tenantName} || '/job-' || cast(gpu as varchar) || '-' || cast(job as varchar) as workload_id,
    'ns-' || ${tenantName} as tenant_key,
    'hq' as site_id,
    ${node('gpu')} as node,
    case when ${isPod} then 'ns-' || ${tenantName} end as namespace,
    case when ${isPod} then ${podOf('gpu', 'turn')} end as pod,
    case when ${isPod} then pod_uid end as pod_uid,
    case when not (${isPod}) then job_no end as job_id,
    case when not (${isPod}) then 'batch' end as queue,
    ${nothing} as gang, ${nothing} as labels,
    case when ${isPod} then 'nvidia.com/gpu' else 'gres/gpu:h800' end as resource_name,
    case when not (${isPod}) then 'h800' end as accelerator_model,
    cast(1 as decimal(12,6)) as accelerator_count,
    case when not (${isPod}) then ${device('gpu')} end as device_ids,
    start_at_ms,
    start_at_ms as running_at_ms,
    case when not at_start then end_at_ms end as end_at_ms,
    case when not at_start then 'observed' end as end_kind,
    case when at_start then 'Running' when ${isPod} then 'Succeeded' else 'COMPLETED' end as state,
    ${nothing} as fault,
    cast(null as decimal(18,9)) as hfu, cast(null as decimal(18,9)) as mfu, cast(null as decimal(18,9)) as gpu_util,
    case when ${isPod} then 'kubernetes-pods' else 'slurm-sacct' end as source,
    $object_id as object_id,
    cast(row_number() over (order by gpu, turn, at_start desc) as bigint) as line
  from (
    select *, ${uuid("'pod' || cast(gpu as varchar) || '-' || cast(turn as varchar)")} as pod_uid, cast(1000000 + gpu * ${shape.perGpu} + turn as varchar) as job_no
    from (${seen(true)} union all ${seen(false)})
  )`;
}

/** gpu_sample of one part: all GPUs minute by minute, as scraped; those of pods carry the pod's name while one holds the GPU. */
export function sampleRows(part: number, shape: Shape): string {
  const { gpus, perGpu, sampleParts } = shape;
  const bound = (at: number): number => Math.floor((at * MINUTES) / sampleParts);
  const level = `case gpu % 4 ${HFU_LEVELS.map((ppm, place) => `when ${place} then ${ppm}`).join(' ')} end`;
  const decimal = (value: string): string => `cast(${value} as decimal(18,9))`;
  return `select
    sampled_at_ms, 'hq' as site_id, ${node('gpu')} as node, ${device('gpu')} as device_id, cast(gpu % 8 as varchar) as device_index,
    'NVIDIA H800' as accelerator_model,
    cast(${level} * cast('0.000001' as decimal(7,6)) as decimal(18,9)) as tensor_active,
    ${decimal("'0.8'")} as sm_active,
    cast(null as decimal(18,9)) as engine_active,
    ${decimal('90 + h % 10')} as gpu_util,
    ${decimal(String(BOOST_MHZ))} as sm_clock_mhz,
    ${decimal('500 + h // 16 % 150')} as power_watts,
    cast(minute * 36000000 + h % 1000000 as bigint) as energy_mj,
    ${decimal('70000 + h // 4096 % 2000')} as memory_used_mib,
    ${decimal('60 + h // 65536 % 20')} as temperature_c,
    cast(0 as bigint) as xid,
    case when is_held then 'ns-' || ${tenantName} end as namespace,
    case when is_held then ${podOf('gpu', 'turn')} end as pod,
    cast(null as varchar) as job_id,
    'dcgm-text' as source,
    $object_id as object_id,
    (minute - ${bound(part)}) * ${gpus} + gpu + 1 as line
  from (
    select *, (gpu * 31 + turn // ${JOB_ALLOCATIONS} * 7) % ${TENANTS} as tenant,
      gpu % 2 = 0 and turn < ${perGpu}
        and sampled_at_ms >= ${START_MS} + turn * ${LENGTH_MS} // ${perGpu} + gpu % 977
        and sampled_at_ms < ${START_MS} + (turn + 1) * ${LENGTH_MS} // ${perGpu} + gpu % 977 - 1000 as is_held
    from (
      select minute, gpu, h, sampled_at_ms, ((sampled_at_ms - ${START_MS} - gpu % 977 + 1) * ${perGpu} - 1) // ${LENGTH_MS} as turn
      from (
        select i // ${gpus} as minute, i % ${gpus} as gpu, cast(hash(i) // 2 as bigint) as h,
          ${START_MS} + (i // ${gpus}) * ${INTERVAL_MS} + (i % ${gpus}) // 8 % 60 * 1000 as sampled_at_ms
        from range(${bound(part) * gpus}, ${bound(part + 1) * gpus}) as numbers (i)
      )
    )
  )`;
}
