/** What a charge line was added up from: pieces of allocations or requests, the files they were read in, and the samples behind a factor. */
import type { SqlValue, Warehouse } from '../ports.ts';
import { records, type TextRecord } from './bill-document.ts';

export interface ExplainedSource {
  readonly object_name: string;
  readonly source: string;
  readonly content_id: string;
  readonly rows: number;
  readonly first_line: number;
  readonly last_line: number;
}

export interface Inputs {
  /** The first ones; every row says where it was read. */
  readonly rows: readonly TextRecord[];
  readonly total: number;
  /** Cover all inputs, also those that are not listed. */
  readonly sources: readonly ExplainedSource[];
  readonly samples: readonly ExplainedSource[];
}

/** Inputs that are listed. */
const INPUT_LIMIT = 50;

const GPU_INPUTS = `
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations on allocations.allocation_id = pieces.allocation_id
  inner join rtd_price_match as matches
    on matches.period = pieces.period and matches.segment_no = pieces.segment_no and matches.site_id = allocations.site_id
    and matches.product = allocations.accelerator_model and matches.meter = 'gpu_hours' and matches.tenant_id = allocations.tenant_id
  left join rtd_fault as faults on faults.allocation_id = allocations.allocation_id
  left join raw_object as objects on objects.object_id = allocations.object_id
  where pieces.period = ? and allocations.tenant_id = ? and allocations.site_id = ? and allocations.workload_id = ?
    and allocations.accelerator_model = ? and matches.price_id = ? and matches.band = ?
    and pieces.kind = ? and coalesce(matches.policy_id, '') = ? and pieces.gpu_ms > 0
    and (? = '' or (faults.rule_id = ? and pieces.start_ms < faults.fault_ms and pieces.end_ms > faults.fault_ms - faults.credited_ms))`;

/** Of a credit only the pieces that it gives back; of a gpu_hours or gang_wait line all of its kind. */
export async function gpuInputs(warehouse: Warehouse, line: TextRecord): Promise<Inputs> {
  const kind = line['kind'] === 'credit' ? 'gpu_hours' : (line['kind'] ?? null);
  const rule = line['rule_id'] ?? '';
  const bound = texts(line, ['period', 'tenant_id', 'site_id', 'workload_id', 'product', 'price_id', 'band']);
  const parameters = [...bound, kind, line['policy_id'] ?? '', rule, rule];
  const rows = records(
    await warehouse.query(
      `select allocations.native_id, allocations.accelerator_count, pieces.start_ms, pieces.end_ms, pieces.gpu_ms,
         allocations.start_at_ms as held_from_ms, allocations.end_at_ms as held_to_ms, allocations.end_kind, allocations.running_at_ms,
         allocations.gang, allocations.node, allocations.fault, allocations.source, objects.object_name, objects.content_id, allocations.line
       ${GPU_INPUTS}
       order by pieces.start_ms, allocations.allocation_id limit ${INPUT_LIMIT}`,
      parameters,
    ),
  );
  const total = await warehouse.query(`select count(*) ${GPU_INPUTS}`, parameters);
  const sources = await warehouse.query(
    `select objects.object_name, events.source, objects.content_id, count(*), min(events.line), max(events.line)
     from stg_observation as events
     inner join raw_object as objects on objects.object_id = events.object_id
     where events.allocation_id in (select allocations.allocation_id ${GPU_INPUTS})
     group by objects.object_name, events.source, objects.content_id order by objects.object_name`,
    parameters,
  );
  const samples = await warehouse.query(SAMPLE_SOURCES, [line['period'] ?? null, ...parameters]);
  return { rows, total: Number(total.rows[0]?.[0] ?? 0), sources: sources.rows.map(sourceOf), samples: samples.rows.map(sourceOf) };
}

const SAMPLE_SOURCES = `
  select objects.object_name, stored.source, objects.content_id, count(*), min(stored.line), max(stored.line)
  from (
    select distinct series.site_id, series.node, series.device_id, spans.start_ms as sampled_at_ms
    from fct_allocation_series as claims
    inner join fct_sample_span as spans
      on spans.series_no = claims.series_no and spans.start_ms < claims.end_ms and spans.end_ms > claims.start_ms
    inner join fct_gpu_series as series on series.series_no = claims.series_no
    where claims.period = ? and claims.allocation_id in (select pieces.allocation_id ${GPU_INPUTS})
  ) as used
  inner join raw_gpu_sample as stored
    on stored.site_id = used.site_id and stored.node = used.node and stored.device_id = used.device_id and stored.sampled_at_ms = used.sampled_at_ms
  inner join raw_object as objects on objects.object_id = stored.object_id
  group by objects.object_name, stored.source, objects.content_id order by objects.object_name`;

const TOKEN_INPUTS = `
  from fct_token_usage as attempts
  inner join ref_segment as segments on attempts.event_at_ms >= segments.start_ms and attempts.event_at_ms < segments.end_ms
  inner join ref_token_policy as policies on policies.period = segments.period and policies.status = attempts.status and policies.charged
  inner join rtd_price_match as matches
    on matches.period = segments.period and matches.segment_no = segments.segment_no and matches.site_id = attempts.site_id
    and matches.product = attempts.model and matches.image_digest = coalesce(attempts.image_digest, '') and matches.tenant_id = attempts.tenant_id
  left join raw_object as objects on objects.object_id = attempts.object_id
  where segments.period = ? and attempts.tenant_id = ? and attempts.site_id = ? and attempts.model = ? and coalesce(attempts.image_digest, '') = ?
    and matches.meter = ? and matches.price_id = ? and matches.band = ?
    and case matches.meter when 'input_uncached' then attempts.input_uncached_tokens when 'input_cache_read' then attempts.input_cache_read_tokens
      when 'input_cache_write' then attempts.input_cache_write_tokens else attempts.output_tokens end > 0
    and (? = '' or exists (select 1 from ref_token_credit as orders where orders.rule_id = ? and attempts.event_at_ms >= orders.from_ms and attempts.event_at_ms < orders.to_ms))`;

/** The requests of a token line: all of its price, because tiers and allowances split the sum, not the requests. Of a credit those that it gives back. */
export async function tokenInputs(warehouse: Warehouse, line: TextRecord): Promise<Inputs> {
  const rule = line['rule_id'] ?? '';
  const parameters = [
    ...texts(line, ['period', 'tenant_id', 'site_id', 'product', 'image_digest', 'meter', 'price_id', 'band']),
    rule,
    rule,
  ];
  const rows = records(
    await warehouse.query(
      `select attempts.native_id, attempts.event_at_ms, attempts.input_uncached_tokens, attempts.input_cache_read_tokens, attempts.input_cache_write_tokens,
         attempts.output_tokens, attempts.usage_source, attempts.source, objects.object_name, objects.content_id, attempts.line
       ${TOKEN_INPUTS}
       order by attempts.event_at_ms, attempts.request_key limit ${INPUT_LIMIT}`,
      parameters,
    ),
  );
  const total = await warehouse.query(`select count(*) ${TOKEN_INPUTS}`, parameters);
  const sources = await warehouse.query(
    `select objects.object_name, chosen.source, objects.content_id, count(*), min(chosen.line), max(chosen.line)
     from (select attempts.source, attempts.object_id, attempts.line ${TOKEN_INPUTS}) as chosen
     inner join raw_object as objects on objects.object_id = chosen.object_id
     group by objects.object_name, chosen.source, objects.content_id order by objects.object_name`,
    parameters,
  );
  return { rows, total: Number(total.rows[0]?.[0] ?? 0), sources: sources.rows.map(sourceOf), samples: [] };
}

function texts(line: TextRecord, names: readonly string[]): SqlValue[] {
  return names.map((name) => line[name] ?? null);
}

function sourceOf(row: readonly (string | null)[]): ExplainedSource {
  const [objectName, source, contentId, rows, firstLine, lastLine] = row;
  return {
    object_name: objectName ?? '',
    source: source ?? '',
    content_id: contentId ?? '',
    rows: Number(rows),
    first_line: Number(firstLine),
    last_line: Number(lastLine),
  };
}
