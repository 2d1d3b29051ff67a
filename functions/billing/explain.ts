/** From one charge line down to what was logged: formula with its numbers, price, evidence, pieces, source lines. */
import { KashiError } from '../domain/errors.ts';
import type { QueryResult, Warehouse } from '../ports.ts';
import { records, type TextRecord } from './bill-document.ts';

export interface ExplainedSource {
  readonly object_name: string;
  readonly source: string;
  readonly content_id: string;
  readonly rows: number;
  readonly first_line: number;
  readonly last_line: number;
}

export interface Explanation {
  readonly line: TextRecord;
  readonly formula: readonly string[];
  readonly price: TextRecord | null;
  readonly policy: TextRecord | null;
  readonly evidence: TextRecord | null;
  /** GPU lines: the pieces that were added up. Token lines: the requests, first ones only. */
  readonly inputs: readonly TextRecord[];
  readonly inputs_total: number;
  readonly sources: readonly ExplainedSource[];
  /** GPU lines: where the samples behind HFU and coverage were read. */
  readonly samples: readonly ExplainedSource[];
}

/** Inputs that are listed; the sources cover all of them. */
const INPUT_LIMIT = 50;

/** bill_line and everything below it must be defined. Errors: KashiError not_found for an id that is on no line. */
export async function explainLine(warehouse: Warehouse, lineId: string): Promise<Explanation> {
  const line = first(await warehouse.query('select * from bill_line where line_id = ?', [lineId]));
  if (line === null) {
    throw new KashiError('not_found', 'no charge line has this id', { where: 'line-id', allowed: 'an id from kashi bill', found: lineId });
  }
  const price = first(
    await warehouse.query(
      'select distinct price_id, tenant_id, site_id, approved_by, tier_mode, from_ms from ref_price where price_id = ? and product = ? and meter = ?',
      [line['price_id'] ?? null, line['product'] ?? null, line['meter'] ?? null],
    ),
  );
  const policy =
    line['policy_id'] === null
      ? null
      : first(await warehouse.query('select * from ref_adjustment where policy_id = ?', [line['policy_id'] ?? null]));
  const isTokens = line['kind'] === 'tokens';
  const evidence = isTokens
    ? null
    : first(
        await warehouse.query('select * from fct_workload_efficiency where period = ? and site_id = ? and workload_id = ?', [
          line['period'] ?? null,
          line['site_id'] ?? null,
          line['workload_id'] ?? null,
        ]),
      );
  const { inputs, total, sources, samples } = isTokens ? await tokenInputs(warehouse, line) : await gpuInputs(warehouse, line);
  return { line, formula: formulaOf(line), price, policy, evidence, inputs, inputs_total: total, sources, samples };
}

function first(result: QueryResult): TextRecord | null {
  return records(result)[0] ?? null;
}

interface Inputs {
  readonly inputs: readonly TextRecord[];
  readonly total: number;
  readonly sources: readonly ExplainedSource[];
  readonly samples: readonly ExplainedSource[];
}

const GPU_INPUTS = `
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations on allocations.allocation_id = pieces.allocation_id
  inner join rtd_price_match as matches
    on matches.period = pieces.period and matches.segment_no = pieces.segment_no and matches.site_id = allocations.site_id
    and matches.product = allocations.accelerator_model and matches.meter = 'gpu_hours' and matches.tenant_id = allocations.tenant_id
  left join raw_object as objects on objects.object_id = allocations.object_id
  where pieces.period = ? and allocations.tenant_id = ? and allocations.site_id = ? and allocations.workload_id = ?
    and allocations.accelerator_model = ? and matches.price_id = ? and matches.band = ?
    and pieces.kind = ? and coalesce(matches.policy_id, '') = ?`;

async function gpuInputs(warehouse: Warehouse, line: TextRecord): Promise<Inputs> {
  const kind = line['kind'] === 'credit' ? 'gpu_hours' : (line['kind'] ?? null);
  const bound = [
    line['period'],
    line['tenant_id'],
    line['site_id'],
    line['workload_id'],
    line['product'],
    line['price_id'],
    line['band'],
  ].map((value) => value ?? null);
  const parameters = [...bound, kind, line['policy_id'] ?? ''];
  const inputs = records(
    await warehouse.query(
      `select allocations.native_id, allocations.accelerator_count,
         cast(from_unixtime_nanos(pieces.start_ms * 1000000) as timestamp(3)) as piece_start_at,
         cast(from_unixtime_nanos(pieces.end_ms * 1000000) as timestamp(3)) as piece_end_at,
         pieces.gpu_ms, allocations.start_at, allocations.end_at, allocations.end_kind, allocations.node, allocations.fault, allocations.source, objects.object_name, allocations.line
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
  return { inputs, total: count(total), sources: sources.rows.map(sourceOf), samples: samples.rows.map(sourceOf) };
}

const SAMPLE_SOURCES = `
  select objects.object_name, stored.source, objects.content_id, count(*), min(stored.line), max(stored.line)
  from (
    select distinct slices.site_id, slices.node, slices.device_id, slices.sampled_at_ms
    from fct_allocation_claim as claims
    inner join fct_sample_slice as slices
      on slices.site_id = claims.site_id and slices.claim = claims.claim and slices.hour_ms = claims.hour_ms
      and slices.start_ms < claims.end_ms and slices.end_ms > claims.start_ms
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
      when 'input_cache_write' then attempts.input_cache_write_tokens else attempts.output_tokens end > 0`;

async function tokenInputs(warehouse: Warehouse, line: TextRecord): Promise<Inputs> {
  const parameters = [
    line['period'],
    line['tenant_id'],
    line['site_id'],
    line['product'],
    line['image_digest'],
    line['meter'],
    line['price_id'],
    line['band'],
  ].map((value) => value ?? null);
  const inputs = records(
    await warehouse.query(
      `select attempts.native_id, attempts.event_at, attempts.input_uncached_tokens, attempts.input_cache_read_tokens, attempts.input_cache_write_tokens, attempts.output_tokens, attempts.source, objects.object_name, attempts.line
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
  return { inputs, total: count(total), sources: sources.rows.map(sourceOf), samples: [] };
}

function count(result: QueryResult): number {
  return Number(result.rows[0]?.[0] ?? 0);
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

/** The arithmetic of the line, each step on its own line, with its numbers. */
export function formulaOf(line: TextRecord): string[] {
  const text = (name: string): string => line[name] ?? '';
  return [
    `unit price   = list price × factor = ${text('list_unit_price')} × ${text('factor')} = ${text('unit_price')}`,
    `exact amount = quantity × unit price = ${text('quantity')} × ${text('unit_price')} = ${text('exact_amount')}`,
    `amount       = exact amount, half up to 0.01 = ${text('amount')} ${text('currency')}`,
  ];
}
