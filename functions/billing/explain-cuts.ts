/** Why an allocation was cut where it was: the bounds of the period, prices, policies, tariff bands, the end of a gang's wait. */
import type { Warehouse } from '../ports.ts';
import { records, type TextRecord } from './bill-document.ts';

export type CutReason =
  | 'allocation'
  | 'still_open'
  | 'period'
  | 'gang_running'
  | 'price_change'
  | 'policy_change'
  | 'band_change'
  | 'other_price_change';

/** Instants at which a period is cut, and why. */
export interface Edges {
  readonly startMs: string;
  readonly endMs: string;
  readonly prices: ReadonlySet<string>;
  readonly policies: ReadonlySet<string>;
  readonly bands: ReadonlySet<string>;
}

/** Edges of the line's period, for its product. Instants are epoch ms as text, as rows have them. */
export async function readEdges(warehouse: Warehouse, line: TextRecord): Promise<Edges> {
  const { period = null, product = null } = line;
  const [bounds = {}] = records(await warehouse.query('select start_ms, end_ms from ref_period where period = ?', [period]));
  const segments = records(await warehouse.query('select start_ms, band from ref_segment where period = ? order by segment_no', [period]));
  const instants = async (table: string, where: string): Promise<Set<string>> => {
    const rows = records(await warehouse.query(`select from_ms, to_ms from ${table} ${where}`, where === '' ? [] : [product]));
    return new Set(rows.flatMap((row) => [row['from_ms'] ?? '', row['to_ms'] ?? '']));
  };
  return {
    startMs: bounds['start_ms'] ?? '',
    endMs: bounds['end_ms'] ?? '',
    prices: await instants('ref_price', 'where product = ?'),
    policies: await instants('ref_adjustment', ''),
    bands: new Set(
      segments.flatMap((row, index) => (index > 0 && row['band'] !== segments[index - 1]?.['band'] ? [row['start_ms'] ?? ''] : [])),
    ),
  };
}

/** Why a piece starts and ends where it does. The most telling reason wins: the allocation itself, then the period, then what changed. */
export function cutsOf(piece: TextRecord, kind: string, edges: Edges): { readonly start_cut: CutReason; readonly end_cut: CutReason } {
  const [start, end] = [piece['start_ms'] ?? '', piece['end_ms'] ?? ''];
  return {
    start_cut: start === piece['held_from_ms'] ? 'allocation' : reasonAt(start, edges, kind === 'gang_wait' ? null : 'gang_running'),
    end_cut:
      end === piece['held_to_ms']
        ? piece['end_kind'] === 'open'
          ? 'still_open'
          : 'allocation'
        : reasonAt(end, edges, kind === 'gang_wait' ? 'gang_running' : null),
  };
}

function reasonAt(instant: string, edges: Edges, otherwise: 'gang_running' | null): CutReason {
  if (instant === edges.startMs || instant === edges.endMs) return 'period';
  if (edges.prices.has(instant)) return 'price_change';
  if (edges.policies.has(instant)) return 'policy_change';
  if (edges.bands.has(instant)) return 'band_change';
  return otherwise ?? 'other_price_change';
}
