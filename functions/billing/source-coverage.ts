/** How complete each source is, hour by hour: what `kashi status` shows and the close gate will ask. */
import type { Warehouse } from '../ports.ts';
import { records } from './bill-document.ts';

export interface SourceCoverage {
  readonly source: string;
  readonly site_id: string;
  readonly rows: number;
  readonly first_at: string;
  readonly last_at: string;
  /** Hours between the first and the last in which at least one row lies, and all hours between. */
  readonly hours_seen: number;
  readonly hours: number;
  /** Longest run of empty hours inside, with its first hour; null when there is none. */
  readonly longest_gap_hours: number;
  readonly longest_gap_at: string | null;
}

/** Streams of facts by the instant they happened; allocations by when they were seen. */
const EVENTS = `
  select source, site_id, event_at_ms as at_ms from raw_token_usage
  union all select source, site_id, sampled_at_ms from raw_gpu_sample
  union all select source, site_id, observed_at_ms from raw_allocation_event
  union all select source, site_id, observed_at_ms from raw_scheduler_event
  union all select source, site_id, from_ms from raw_training_progress`;

const HOUR_MS = 3_600_000;

/** Rows of each source, site and hour, with the first and the last instant: sums that can be added up over any files. */
export const SOURCE_HOURS = `
  select source, site_id, at_ms - mod(at_ms, ${HOUR_MS}) as hour_ms, count(*) as row_count, min(at_ms) as first_ms, max(at_ms) as last_ms
  from (${EVENTS}) as events group by source, site_id, at_ms - mod(at_ms, ${HOUR_MS})`;

/** One entry a source and site, by source. `hours`: a select of SOURCE_HOURS, whose hours may come in several rows. */
export async function sourceCoverage(warehouse: Warehouse, hours: string = SOURCE_HOURS): Promise<SourceCoverage[]> {
  const result = await warehouse.query(`
    with hours as (
      select source, site_id, hour_ms, cast(sum(row_count) as bigint) as row_count, min(first_ms) as first_ms, max(last_ms) as last_ms
      from (${hours}) as parts group by source, site_id, hour_ms
    ),
    gaps as (
      select hours.*, hour_ms - lag(hour_ms) over (partition by source, site_id order by hour_ms) - ${HOUR_MS} as gap_ms, lag(hour_ms) over (partition by source, site_id order by hour_ms) + ${HOUR_MS} as gap_from_ms
      from hours
    )
    select source, site_id, cast(sum(row_count) as bigint) as row_count, min(first_ms) as first_ms, max(last_ms) as last_ms, count(*) as hours_seen,
      max(hour_ms) - min(hour_ms) as span_ms, coalesce(max(gap_ms), 0) as gap_ms, max_by(gap_from_ms, gap_ms) filter (where gap_ms > 0) as gap_from_ms
    from gaps group by source, site_id order by source, site_id`);
  return records(result).map((row) => ({
    source: row['source'] ?? '',
    site_id: row['site_id'] ?? '',
    rows: Number(row['row_count']),
    first_at: iso(row['first_ms']) ?? '',
    last_at: iso(row['last_ms']) ?? '',
    hours_seen: Number(row['hours_seen']),
    hours: Number(row['span_ms']) / HOUR_MS + 1,
    longest_gap_hours: Number(row['gap_ms']) / HOUR_MS,
    longest_gap_at: iso(row['gap_from_ms']),
  }));
}

function iso(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : new Date(Number(text)).toISOString();
}
