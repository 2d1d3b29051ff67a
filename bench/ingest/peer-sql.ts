/**
 * What somebody would write by hand instead of kashi: one COPY of the engine, with explicit types and no guards. It makes the columns of
 * kashi's datasets with the same values, except `line` (the engine does not know it without a second pass) and the content id, which is a
 * literal here where kashi hashes the bytes. Both favour the peer.
 */

/** SQL text literal. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

const USAGE = `struct(prompt_tokens bigint, completion_tokens bigint, total_tokens bigint,
  prompt_tokens_details struct(cached_tokens bigint), completion_tokens_details struct(reasoning_tokens bigint))`;
const LITELLM_COLUMNS: Readonly<Record<string, string>> = {
  id: 'varchar',
  litellm_call_id: 'varchar',
  trace_id: 'varchar',
  status: 'varchar',
  cache_hit: 'boolean',
  startTime: 'double',
  model: 'varchar',
  model_group: 'varchar',
  prompt_tokens: 'bigint',
  completion_tokens: 'bigint',
  metadata: `struct(user_api_key_team_id varchar, user_api_key_team_alias varchar, user_api_key_alias varchar,
    user_api_key_hash varchar, user_api_key_user_id varchar, usage_object ${USAGE})`,
};

export function litellmSelect(files: readonly string[]): string {
  const columns = Object.entries(LITELLM_COLUMNS).map(([name, type]) => `${name}: ${sqlText(type)}`);
  return `select
  coalesce(litellm_call_id, id || '|' || cast(round(startTime * 1e6) as bigint)) as native_id,
  cast(round(startTime * 1e6) as bigint) // 1000 as event_at_ms,
  coalesce(nullif(metadata.user_api_key_team_id, ''), nullif(metadata.user_api_key_team_alias, ''), nullif(metadata.user_api_key_alias, ''),
    nullif(metadata.user_api_key_hash, ''), nullif(metadata.user_api_key_user_id, '')) as tenant_key,
  'hq' as site_id,
  model,
  model_group as model_alias,
  cast(null as varchar) as image_digest,
  case when absent then null else prompt_tokens - cached end as input_uncached_tokens,
  case when absent then null else cached end as input_cache_read_tokens,
  case when absent then null else 0 end as input_cache_write_tokens,
  case when absent then null else completion_tokens end as output_tokens,
  metadata.usage_object.completion_tokens_details.reasoning_tokens as reasoning_tokens,
  case when absent then 'absent' else 'provider' end as usage_source,
  case when status = 'failure' then 'failure' when cache_hit then 'cache_hit' else 'success' end as status,
  trace_id as attempt_group,
  'litellm' as source,
  'by-hand' as object_id
from (
  select *,
    coalesce(metadata.usage_object.prompt_tokens_details.cached_tokens, 0) as cached,
    metadata.usage_object is null and status <> 'failure' and prompt_tokens + completion_tokens = 0 as absent
  from read_json([${files.map(sqlText).join(', ')}], format = 'newline_delimited', columns = {${columns.join(', ')}})
)`;
}

/** Column of gpu_sample → metric and type. */
const METRICS: readonly (readonly [string, string, string])[] = [
  ['tensor_active', 'DCGM_FI_PROF_PIPE_TENSOR_ACTIVE', 'decimal(18,9)'],
  ['sm_active', 'DCGM_FI_PROF_SM_ACTIVE', 'decimal(18,9)'],
  ['engine_active', 'DCGM_FI_PROF_GR_ENGINE_ACTIVE', 'decimal(18,9)'],
  ['gpu_util', 'DCGM_FI_DEV_GPU_UTIL', 'decimal(18,9)'],
  ['sm_clock_mhz', 'DCGM_FI_DEV_SM_CLOCK', 'decimal(18,9)'],
  ['power_watts', 'DCGM_FI_DEV_POWER_USAGE', 'decimal(18,9)'],
  ['energy_mj', 'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION', 'bigint'],
  ['memory_used_mib', 'DCGM_FI_DEV_FB_USED', 'decimal(18,9)'],
  ['temperature_c', 'DCGM_FI_DEV_GPU_TEMP', 'decimal(18,9)'],
  ['xid', 'DCGM_FI_DEV_XID_ERRORS', 'bigint'],
];

/**
 * One VARCHAR column of lines, cut at braces and blanks (a third faster than one regular expression, and wrong where a label holds a brace),
 * then a pivot, and labels read once per series text.
 */
export function dcgmSelect(files: readonly string[]): string {
  const label = (name: string): string => `nullif(regexp_extract(labels, '${name}="([^"]*)"', 1), '')`;
  const pivot = METRICS.map(([column, metric, type]) => `cast(max(value) filter (where metric = '${metric}') as ${type}) as ${column}`);
  return `with sample as (
  select split_part(line, '{', 1) as metric, split_part(split_part(line, '{', 2), '} ', 1) as labels,
    split_part(split_part(line, '} ', 2), ' ', 1) as value, split_part(line, '} ', 2) as tail
  from read_csv([${files.map(sqlText).join(', ')}], columns = {line: 'varchar'}, header = false, auto_detect = false,
    delim = '\x01', quote = '', escape = '', new_line = '\\n')
  where line not like '#%'
), wide as (
  select labels, split_part(tail, ' ', 2) as at_ms, ${pivot.join(', ')}
  from sample
  where metric in (${METRICS.map(([, metric]) => sqlText(metric)).join(', ')})
  group by labels, at_ms
), device as (
  select labels, ${label('Hostname')} as node, ${label('UUID')} as device_id, ${label('gpu')} as device_index,
    ${label('modelName')} as accelerator_model, ${label('namespace')} as namespace, ${label('pod')} as pod, ${label('hpc_job')} as job_id
  from (select distinct labels from wide)
)
select cast(at_ms as bigint) as sampled_at_ms, 'hq' as site_id, node, device_id, device_index, accelerator_model,
  ${METRICS.map(([column]) => column).join(', ')}, namespace, pod, job_id, 'dcgm-text' as source, 'by-hand' as object_id
from wide join device using (labels)`;
}
