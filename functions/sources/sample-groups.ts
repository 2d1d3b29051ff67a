/** Readings of one (device, instant, workload) → one gpu_sample row. Shared by the sources whose unit is a single reading. */
import type { SampleIdentity } from './dcgm-labels.ts';
import type { MetricColumn, MetricValue } from './dcgm-metrics.ts';
import type { Emit, Row } from './source.ts';

/**
 * Rows under construction at once: some 100 MiB. One scrape of 1,000 eight-GPU nodes is 8,000 groups, so only a file that
 * prints a long time range metric by metric passes it.
 */
export const MAX_GROUPS = 200_000;

interface Group {
  readonly line: number;
  readonly identity: SampleIdentity;
  readonly instantMs: number;
  readonly values: Values;
  /** Ranks above 0, of the values that are there; made with the first. */
  ranks: Partial<Record<MetricColumn, number>> | null;
}

/** All columns from the start: hundreds of thousands of these, of one layout. */
class Values implements Record<MetricColumn, MetricValue | null> {
  tensor_active: MetricValue | null = null;
  sm_active: MetricValue | null = null;
  engine_active: MetricValue | null = null;
  gpu_util: MetricValue | null = null;
  sm_clock_mhz: MetricValue | null = null;
  power_watts: MetricValue | null = null;
  energy_mj: MetricValue | null = null;
  memory_used_mib: MetricValue | null = null;
  temperature_c: MetricValue | null = null;
  xid: MetricValue | null = null;

  /** Without the columns that have no value. */
  present(): Row {
    const present: Record<string, MetricValue> = {};
    for (const column in this) {
      const value = this[column];
      if (value !== null) present[column] = value as MetricValue;
    }
    return present;
  }
}

/** Numeric equality of two readings of one column: '67.0' and '67.000000' are the same reading. */
function sameValue(a: MetricValue, b: MetricValue): boolean {
  return a === b || Number(a) === Number(b);
}

/**
 * Collects readings. Memory is bounded: with more than `maxGroups` groups open, the older half is emitted as it stands;
 * a reading that comes later for one of those makes a second row of the same sample, and fct_gpu_sample merges rows.
 */
export class SampleGroups {
  /** In order of first appearance. */
  private readonly groups = new Set<Group>();
  /** identity.key → instant → group: the long key is one that was hashed before. */
  private readonly byIdentity = new Map<string, Map<number, Group>>();
  private readonly siteId: string;
  private readonly maxGroups: number;

  constructor(siteId: string, maxGroups: number = MAX_GROUPS) {
    this.siteId = siteId;
    this.maxGroups = maxGroups;
  }

  /**
   * Adds one reading. False when the same column of the same device, instant and workload already has another value:
   * two readings cannot both be true, the first stays. XID is the exception: the exporter opens a new series per code and the
   * old one may linger at 0, so a code wins over 0. Where several metrics can fill one column, the value of the highest `rank` stays.
   */
  add(identity: SampleIdentity, instantMs: number, column: MetricColumn, value: MetricValue, line: number, rank = 0): boolean {
    const group = this.groupOf(identity, instantMs, line);
    const known = group.values[column];
    const knownRank = group.ranks?.[column] ?? 0;
    if (known !== null && rank !== knownRank) {
      if (rank < knownRank) return true;
      group.values[column] = value;
      group.ranks = { ...group.ranks, [column]: rank };
      return true;
    }
    if (rank !== 0) group.ranks = { ...group.ranks, [column]: rank };
    if (known === null || (column === 'xid' && known === 0)) group.values[column] = value;
    else return sameValue(known, value) || (column === 'xid' && value === 0);
    return true;
  }

  /** Emits the older half when too many groups are open. Rows carry the line that pushed them out. */
  relieve(emit: Emit): void {
    if (this.groups.size <= this.maxGroups) return;
    let left = Math.ceil(this.groups.size / 2);
    for (const group of this.groups) {
      if (left-- === 0) return;
      emit(this.row(group));
      this.groups.delete(group);
      const { key } = group.identity;
      const instants = this.byIdentity.get(key);
      instants?.delete(group.instantMs);
      if (instants?.size === 0) this.byIdentity.delete(key);
    }
  }

  /** Emits what is left, in order of first appearance; the line is the first of each group. */
  drain(emit: (row: Row, line: number) => void): void {
    for (const group of this.groups) emit(this.row(group), group.line);
    this.groups.clear();
    this.byIdentity.clear();
  }

  private groupOf(identity: SampleIdentity, instantMs: number, line: number): Group {
    let instants = this.byIdentity.get(identity.key);
    if (instants === undefined) {
      instants = new Map();
      this.byIdentity.set(identity.key, instants);
    }
    let group = instants.get(instantMs);
    if (group === undefined) {
      group = { line, identity, instantMs, values: new Values(), ranks: null };
      instants.set(instantMs, group);
      this.groups.add(group);
    }
    return group;
  }

  private row(group: Group): Row {
    const { identity } = group;
    return {
      sampled_at_ms: group.instantMs,
      site_id: this.siteId,
      node: identity.node,
      device_id: identity.deviceId,
      device_index: identity.deviceIndex,
      accelerator_model: identity.acceleratorModel,
      ...group.values.present(),
      namespace: identity.namespace,
      pod: identity.pod,
      job_id: identity.jobId,
    };
  }
}
