/** Every stored column once: name, type, unit, nullability, meaning. Imports nothing. Parquet, DuckDB, Glue and docs are made from this. */

export type ColumnType = 'VARCHAR' | 'BIGINT' | 'TIMESTAMP' | 'BOOLEAN' | `DECIMAL(${number},${number})`;

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly meaning: string;
  readonly unit?: string;
  /** Default false: a row without the value is refused before it is written. */
  readonly nullable?: true;
}

export interface Dataset {
  readonly name: string;
  readonly grain: string;
  /** BIGINT epoch-ms column whose UTC month is the storage partition. */
  readonly partitionBy: string;
  /** In merged files rows that agree in these lie together, so that a question about one of them skips the rest. Default: none, rows lie in time order. */
  readonly clusterBy?: readonly string[];
  readonly columns: readonly Column[];
}

const RATIO = 'DECIMAL(18,9)';

/** Where a stored row came from: on every dataset, filled by ingest. */
const ORIGIN: readonly Column[] = [
  { name: 'source', type: 'VARCHAR', meaning: 'source name of SPEC 3' },
  { name: 'object_id', type: 'VARCHAR', meaning: 'content id of the landed object' },
  { name: 'line', type: 'BIGINT', meaning: 'first line in the decompressed object, from 1 (record number inside a one-document object)' },
];

/** Names of the columns above: ingest fills them, sources never do. */
export const ORIGIN_COLUMNS: ReadonlySet<string> = new Set(ORIGIN.map(({ name }) => name));

/** (source, native_id) is the natural key: rows that share it are one fact, whenever and under whatever name they land. */
const NATIVE: Column = { name: 'native_id', type: 'VARCHAR', meaning: "the source's own key, its fields joined by '|'" };

export const TOKEN_USAGE: Dataset = {
  name: 'token_usage',
  grain: 'one request attempt as logged; repeats are kept here and removed in fct_token_usage',
  partitionBy: 'event_at_ms',
  clusterBy: ['tenant_key'],
  columns: [
    NATIVE,
    {
      name: 'event_at_ms',
      type: 'BIGINT',
      unit: 'epoch ms UTC',
      meaning: 'when the request started (completed, where the source has no start)',
    },
    {
      name: 'tenant_key',
      type: 'VARCHAR',
      nullable: true,
      meaning: 'the payer as the source names it (team, key, consumer, namespace); null when the source names nobody',
    },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site that served the request' },
    { name: 'model', type: 'VARCHAR', nullable: true, meaning: 'model name that is priced' },
    { name: 'model_alias', type: 'VARCHAR', nullable: true, meaning: 'public alias the caller used, when the source has both' },
    { name: 'image_digest', type: 'VARCHAR', nullable: true, meaning: 'digest of the serving image, sha256:…' },
    {
      name: 'input_uncached_tokens',
      type: 'BIGINT',
      unit: 'tokens',
      nullable: true,
      meaning: 'prompt tokens read without cache; null when usage is absent',
    },
    { name: 'input_cache_read_tokens', type: 'BIGINT', unit: 'tokens', nullable: true, meaning: 'prompt tokens served from cache' },
    { name: 'input_cache_write_tokens', type: 'BIGINT', unit: 'tokens', nullable: true, meaning: 'prompt tokens written to cache' },
    { name: 'output_tokens', type: 'BIGINT', unit: 'tokens', nullable: true, meaning: 'completion tokens, reasoning included' },
    { name: 'reasoning_tokens', type: 'BIGINT', unit: 'tokens', nullable: true, meaning: 'of which reasoning; never added again' },
    { name: 'usage_source', type: 'VARCHAR', meaning: 'provider | gateway_estimate | absent' },
    { name: 'status', type: 'VARCHAR', meaning: 'success | failure | cache_hit | not_billable' },
    { name: 'attempt_group', type: 'VARCHAR', nullable: true, meaning: 'id shared by retries and fallbacks of one call' },
    ...ORIGIN,
  ],
};

export const ALLOCATION_EVENT: Dataset = {
  name: 'allocation_event',
  grain: 'one observation of one allocation (a pod object, a watch event, an accounting row); fct_allocation assembles them',
  partitionBy: 'observed_at_ms',
  clusterBy: ['tenant_key'],
  columns: [
    NATIVE,
    {
      name: 'observed_at_ms',
      type: 'BIGINT',
      unit: 'epoch ms UTC',
      meaning: 'instant this observation speaks for; the allocation was alive then unless it had ended',
    },
    { name: 'workload_id', type: 'VARCHAR', meaning: 'job or service the allocation belongs to; one bill line per workload' },
    { name: 'tenant_key', type: 'VARCHAR', nullable: true, meaning: 'namespace, account or mapped key' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site whose accelerators are held' },
    { name: 'node', type: 'VARCHAR', nullable: true, meaning: 'node, or comma-separated nodes' },
    { name: 'namespace', type: 'VARCHAR', nullable: true, meaning: 'Kubernetes namespace' },
    { name: 'pod', type: 'VARCHAR', nullable: true, meaning: 'Kubernetes pod name' },
    { name: 'pod_uid', type: 'VARCHAR', nullable: true, meaning: 'Kubernetes pod uid' },
    { name: 'job_id', type: 'VARCHAR', nullable: true, meaning: 'HPC job id as metric labels show it' },
    { name: 'queue', type: 'VARCHAR', nullable: true, meaning: 'queue or partition' },
    { name: 'gang', type: 'VARCHAR', nullable: true, meaning: 'gang (pod group) whose members start together' },
    { name: 'labels', type: 'VARCHAR', nullable: true, meaning: "sorted 'key=value' pairs joined by ','; for exemptions" },
    { name: 'resource_name', type: 'VARCHAR', nullable: true, meaning: 'resource as requested, such as nvidia.com/gpu or gres/gpu:a100' },
    {
      name: 'accelerator_model',
      type: 'VARCHAR',
      nullable: true,
      meaning: 'catalog model when the source states it; else found through the inventory',
    },
    {
      name: 'accelerator_count',
      type: 'DECIMAL(12,6)',
      unit: 'accelerators',
      nullable: true,
      meaning: 'held accelerators, a fraction for a share of one; null when this observation tells only when, and others tell what',
    },
    { name: 'device_ids', type: 'VARCHAR', nullable: true, meaning: "held devices, joined by ','" },
    { name: 'start_at_ms', type: 'BIGINT', unit: 'epoch ms UTC', nullable: true, meaning: 'devices bound; null while only requested' },
    { name: 'running_at_ms', type: 'BIGINT', unit: 'epoch ms UTC', nullable: true, meaning: 'all containers started; for the gang wait' },
    { name: 'end_at_ms', type: 'BIGINT', unit: 'epoch ms UTC', nullable: true, meaning: 'devices released; null while held' },
    { name: 'end_kind', type: 'VARCHAR', nullable: true, meaning: 'observed | inferred when end_at_ms is set' },
    { name: 'state', type: 'VARCHAR', nullable: true, meaning: "the source's state word" },
    { name: 'fault', type: 'VARCHAR', nullable: true, meaning: 'node_lost | preempted when the provider ended the allocation' },
    { name: 'hfu', type: RATIO, unit: 'ratio 0–1', nullable: true, meaning: 'job average stated by the source' },
    { name: 'mfu', type: RATIO, unit: 'ratio 0–1', nullable: true, meaning: 'job average stated by the source' },
    { name: 'gpu_util', type: RATIO, unit: 'ratio 0–1', nullable: true, meaning: 'job average of the busy-time proxy; not an HFU' },
    ...ORIGIN,
  ],
};

export const GPU_SAMPLE: Dataset = {
  name: 'gpu_sample',
  grain: 'readings of one accelerator at one instant from one object; fct_gpu_sample merges objects',
  partitionBy: 'sampled_at_ms',
  clusterBy: ['site_id', 'node', 'device_id'],
  columns: [
    { name: 'sampled_at_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'instant of the reading' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site of the node' },
    { name: 'node', type: 'VARCHAR', meaning: 'host name' },
    { name: 'device_id', type: 'VARCHAR', meaning: 'accelerator UUID, with /instance for a partition' },
    { name: 'device_index', type: 'VARCHAR', nullable: true, meaning: 'index on the node; changes across reboots, never a key' },
    { name: 'accelerator_model', type: 'VARCHAR', nullable: true, meaning: 'model name as the exporter prints it' },
    {
      name: 'tensor_active',
      type: RATIO,
      unit: 'ratio 0–1',
      nullable: true,
      meaning: 'share of cycles the tensor pipe (NPU: AI core) was active',
    },
    { name: 'sm_active', type: RATIO, unit: 'ratio 0–1', nullable: true, meaning: 'share of cycles an SM had a warp' },
    {
      name: 'engine_active',
      type: RATIO,
      unit: 'ratio 0–1',
      nullable: true,
      meaning: 'share of time the graphics or compute engine was active',
    },
    {
      name: 'gpu_util',
      type: RATIO,
      unit: '% 0–100',
      nullable: true,
      meaning: 'share of time any kernel ran, in the unit of DCGM_FI_DEV_GPU_UTIL; not an HFU',
    },
    { name: 'sm_clock_mhz', type: RATIO, unit: 'MHz', nullable: true, meaning: 'SM (AI core) clock' },
    { name: 'power_watts', type: RATIO, unit: 'W', nullable: true, meaning: 'power draw' },
    { name: 'energy_mj', type: 'BIGINT', unit: 'mJ since driver load', nullable: true, meaning: 'energy counter; resets' },
    { name: 'memory_used_mib', type: RATIO, unit: 'MiB', nullable: true, meaning: 'frame buffer in use' },
    { name: 'temperature_c', type: RATIO, unit: '°C', nullable: true, meaning: 'die temperature' },
    { name: 'xid', type: 'BIGINT', nullable: true, meaning: 'last XID error code; 0 for none' },
    { name: 'namespace', type: 'VARCHAR', nullable: true, meaning: 'namespace of the workload (not of the exporter)' },
    { name: 'pod', type: 'VARCHAR', nullable: true, meaning: 'pod of the workload (not of the exporter)' },
    { name: 'job_id', type: 'VARCHAR', nullable: true, meaning: 'HPC job id label' },
    ...ORIGIN,
  ],
};

export const TRAINING_PROGRESS: Dataset = {
  name: 'training_progress',
  grain: 'tokens a training job finished in one window',
  partitionBy: 'from_ms',
  columns: [
    NATIVE,
    { name: 'workload_id', type: 'VARCHAR', meaning: 'workload_id of the allocations that did the work' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site of the job' },
    { name: 'from_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'window start, inclusive' },
    { name: 'to_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'window end, exclusive' },
    { name: 'tokens', type: 'BIGINT', unit: 'tokens', meaning: 'tokens trained on in the window' },
    { name: 'precision', type: 'VARCHAR', meaning: 'bf16 | fp16 | fp8 | fp32 | tf32: chooses the peak' },
    { name: 'formula', type: 'VARCHAR', meaning: 'id of the FLOPs formula' },
    { name: 'model_flops', type: 'DECIMAL(38,0)', unit: 'FLOP', meaning: 'model FLOPs of the window by that formula, exact' },
    ...ORIGIN,
  ],
};

export const SCHEDULER_EVENT: Dataset = {
  name: 'scheduler_event',
  grain: 'one thing a batch scheduler said at one instant about a job, a gang, a quota reservation, an allocation, or its own log',
  partitionBy: 'observed_at_ms',
  columns: [
    NATIVE,
    { name: 'observed_at_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'instant of the event' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site that is scheduled' },
    {
      name: 'kind',
      type: 'VARCHAR',
      meaning: 'what it is about: workload (Kueue) | job | pod_group (Volcano) | application | allocation | page (YuniKorn)',
    },
    {
      name: 'event',
      type: 'VARCHAR',
      meaning: 'created, quota_reserved, quota_released, admitted, finished, …; the phase in lower case; allocated, released; polled',
    },
    { name: 'reason', type: 'VARCHAR', nullable: true, meaning: "the scheduler's reason word" },
    { name: 'object_uid', type: 'VARCHAR', nullable: true, meaning: 'uid of the object; for an allocation the uid of its pod' },
    { name: 'namespace', type: 'VARCHAR', nullable: true, meaning: 'Kubernetes namespace' },
    { name: 'name', type: 'VARCHAR', nullable: true, meaning: 'name of the object, or application id' },
    { name: 'workload_id', type: 'VARCHAR', nullable: true, meaning: 'workload_id of the pods it is about' },
    { name: 'gang', type: 'VARCHAR', nullable: true, meaning: 'gang (pod group) of the pods it is about' },
    { name: 'tenant_key', type: 'VARCHAR', nullable: true, meaning: 'namespace, where the scheduler knows it' },
    { name: 'queue', type: 'VARCHAR', nullable: true, meaning: 'queue as users name it' },
    { name: 'node', type: 'VARCHAR', nullable: true, meaning: 'node of an allocation' },
    { name: 'pod', type: 'VARCHAR', nullable: true, meaning: 'pod of an allocation' },
    { name: 'min_available', type: 'BIGINT', unit: 'pods', nullable: true, meaning: 'members without which the gang does not start' },
    {
      name: 'accelerator_count',
      type: 'DECIMAL(12,6)',
      unit: 'accelerators',
      nullable: true,
      meaning: 'accelerators of the allocation, or of all pods of the job or workload',
    },
    { name: 'resource_name', type: 'VARCHAR', nullable: true, meaning: 'resource as requested' },
    { name: 'accelerator_model', type: 'VARCHAR', nullable: true, meaning: 'model, when the resource name says it' },
    { name: 'fault', type: 'VARCHAR', nullable: true, meaning: 'node_lost | preempted when the provider took the accelerators away' },
    { name: 'instance_id', type: 'VARCHAR', nullable: true, meaning: 'page: the scheduler process, a new one after each restart' },
    { name: 'lowest_event', type: 'BIGINT', nullable: true, meaning: 'page: oldest event number the scheduler still had' },
    { name: 'highest_event', type: 'BIGINT', nullable: true, meaning: 'page: newest event number the scheduler had' },
    { name: 'events', type: 'BIGINT', nullable: true, meaning: 'page: events in this answer' },
    { name: 'first_event_ms', type: 'BIGINT', unit: 'epoch ms UTC', nullable: true, meaning: 'page: instant of its first event' },
    ...ORIGIN,
  ],
};

export const POD_DEVICE: Dataset = {
  name: 'pod_device',
  grain: 'one accelerator that a kubelet says one pod holds, seen at an instant',
  partitionBy: 'observed_at_ms',
  columns: [
    NATIVE,
    { name: 'observed_at_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'instant of the dump' },
    { name: 'site_id', type: 'VARCHAR', meaning: 'site of the node' },
    { name: 'node', type: 'VARCHAR', nullable: true, meaning: 'node, when the dump or the landing rule names it' },
    { name: 'pod_uid', type: 'VARCHAR', nullable: true, meaning: 'pod uid (checkpoint); null from the PodResources API, which has none' },
    { name: 'namespace', type: 'VARCHAR', nullable: true, meaning: 'Kubernetes namespace (PodResources API)' },
    { name: 'pod', type: 'VARCHAR', nullable: true, meaning: 'Kubernetes pod name (PodResources API)' },
    { name: 'container', type: 'VARCHAR', nullable: true, meaning: 'container that holds it' },
    { name: 'resource_name', type: 'VARCHAR', nullable: true, meaning: 'resource, or DRA driver' },
    {
      name: 'device_id',
      type: 'VARCHAR',
      meaning: "as samples name it: UUID, UUID/GI… for a partition; node/name where the plugin's names are not unique",
    },
    ...ORIGIN,
  ],
};

export const QUARANTINE: Dataset = {
  name: 'quarantine',
  grain: 'one refused row: where it is and why, never its content',
  partitionBy: 'landed_at_ms',
  columns: [
    { name: 'landed_at_ms', type: 'BIGINT', unit: 'epoch ms UTC', meaning: 'last-modified instant of the object' },
    { name: 'object_name', type: 'VARCHAR', meaning: 'name under which the object landed' },
    { name: 'byte_start', type: 'BIGINT', meaning: 'offset in the decompressed object, inclusive' },
    { name: 'byte_end', type: 'BIGINT', meaning: 'offset in the decompressed object, exclusive' },
    { name: 'reason', type: 'VARCHAR', meaning: 'one reason of functions/sources/source.ts' },
    { name: 'field', type: 'VARCHAR', nullable: true, meaning: 'path of the offending field' },
    {
      name: 'found',
      type: 'VARCHAR',
      nullable: true,
      meaning: 'kind of what was found (a type, a length, a number); never text from the row',
    },
    ...ORIGIN,
  ],
};

/** The datasets that ingest writes, by name. */
export const DATASETS = {
  token_usage: TOKEN_USAGE,
  allocation_event: ALLOCATION_EVENT,
  gpu_sample: GPU_SAMPLE,
  training_progress: TRAINING_PROGRESS,
  scheduler_event: SCHEDULER_EVENT,
  pod_device: POD_DEVICE,
  quarantine: QUARANTINE,
} as const;

export type DatasetName = keyof typeof DATASETS;

/** What a reader of a snapshot is given beside the datasets. */
export const SNAPSHOT_TABLES = {
  raw_file: {
    name: 'raw_file',
    grain: 'the rows of one landed object in one data file',
    columns: [
      { name: 'file', type: 'VARCHAR', meaning: 'path as the engine names it' },
      { name: 'object_id', type: 'VARCHAR', meaning: 'content id of the landed object' },
      { name: 'fold_order', type: 'BIGINT', meaning: 'place in the history' },
    ],
  },
  raw_object: {
    name: 'raw_object',
    grain: 'one landed object',
    columns: [
      { name: 'object_id', type: 'VARCHAR', meaning: 'content id of the landed object' },
      { name: 'object_name', type: 'VARCHAR', meaning: 'name under which it landed' },
      { name: 'source', type: 'VARCHAR', meaning: 'source name' },
      { name: 'content_id', type: 'VARCHAR', meaning: 'SHA-256 of source and raw bytes' },
    ],
  },
} as const satisfies Readonly<Record<string, Omit<Dataset, 'partitionBy'>>>;

export type SnapshotTableName = keyof typeof SNAPSHOT_TABLES;

/** Column of raw_<dataset> that its stored files do not have: which of two repeats came first. */
export const FOLD_ORDER: Column = { name: 'fold_order', type: 'BIGINT', meaning: "place of the row's object in the warehouse's history" };
