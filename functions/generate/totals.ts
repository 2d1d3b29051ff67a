/** expected.json: everything that was planted, in the words of the views and bills, so that a run can be checked to the cent. */
import { Rational, sumDecimals } from '../domain/money.ts';
import { type Centre, HOUR_MS } from './centre.ts';
import type { Efficiency, Evidence } from './evidence.ts';
import { type ExpectedLine, gpuLines, heldMs, tokenLines } from './expected-bill.ts';
import type { Ledger, RequestCounts, SourceCounts } from './ledger.ts';
import { UNMAPPED_TEAM } from './requests.ts';
import type { Workload } from './workload.ts';

export interface ExpectedTokens {
  /** Null for the team that maps to nobody. */
  readonly tenant_id: string | null;
  readonly tenant_key: string;
  readonly site_id: string;
  readonly model: string;
  /** Charged requests; tokens are of these only. */
  readonly requests: string;
  readonly input_uncached: string;
  readonly input_cache_read: string;
  readonly input_cache_write: string;
  readonly output: string;
  readonly reasoning: string;
}

export interface ExpectedWorkload extends Efficiency {
  readonly workload_id: string;
  readonly tenant_id: string;
  readonly site_id: string;
  readonly accelerator_model: string;
  readonly allocations: number;
  readonly inferred_ends: number;
  /** Accelerator-milliseconds, whole allocations; and the part inside the period. */
  readonly gpu_ms: string;
  readonly gpu_ms_in_period: string;
  /** GPU-hours inside the period, 6 decimals. */
  readonly gpu_hours_in_period: string;
}

export interface Expected {
  readonly period: string;
  readonly time_zone: string;
  readonly currency: 'CNY';
  readonly seed: string;
  /** Rows and lines per source, without the repeated files. */
  readonly sources: Readonly<Record<string, SourceCounts>>;
  readonly requests: Readonly<Record<string, RequestCounts>>;
  readonly tokens: readonly ExpectedTokens[];
  readonly workloads: readonly ExpectedWorkload[];
  /** What stops a close until somebody decides: keys without a tenant, requests without usage. */
  readonly unrated: { readonly unmapped_keys: readonly string[]; readonly requests_without_usage: number };
  readonly lines: readonly ExpectedLine[];
  readonly bills: readonly { readonly tenant_id: string; readonly total: string }[];
  readonly total: string;
}

/** The planted truth. `workloads` are those whose events were written; call after every file is. */
export function expectedOf(centre: Centre, workloads: readonly Workload[], ledger: Ledger, evidence: Evidence): Expected {
  const { options } = centre;
  const sums = ledger.tokenSums();
  const rated = workloads.map((workload) => ({ workload, efficiency: efficiencyOf(centre, workload, evidence) }));
  const lines = [...rated.flatMap(({ workload, efficiency }) => gpuLines(centre, workload, efficiency)), ...tokenLines(centre, sums)];
  const bills = billsOf(lines);
  return {
    period: options.period,
    time_zone: options.timeZone,
    currency: 'CNY',
    seed: options.seed,
    sources: ledger.sources,
    requests: ledger.requests,
    tokens: tokensOf(centre, ledger),
    workloads: rated.map(({ workload, efficiency }) => expectedWorkload(centre, workload, efficiency)),
    unrated: {
      unmapped_keys: sums.some(({ tenant }) => tenant < 0) ? [UNMAPPED_TEAM] : [],
      requests_without_usage: Object.values(ledger.requests).reduce((sum, counts) => sum + counts.absent_usage, 0),
    },
    lines,
    bills,
    total: sumDecimals(
      bills.map((bill) => bill.total),
      2,
    ),
  };
}

/** Charged tokens per tenant, site and model, both price segments together. */
function tokensOf(centre: Centre, ledger: Ledger): ExpectedTokens[] {
  const rows = new Map<string, number[]>();
  for (const sum of ledger.tokenSums()) {
    const key = JSON.stringify([sum.tenant, sum.siteId, sum.model]);
    const values = [sum.requests, sum.input_uncached, sum.input_cache_read, sum.input_cache_write, sum.output, sum.reasoning];
    const known = rows.get(key) ?? values.map(() => 0);
    rows.set(
      key,
      values.map((value, index) => value + (known[index] ?? 0)),
    );
  }
  return [...rows].map(([key, values]) => {
    const [tenantIndex, siteId, model] = JSON.parse(key) as [number, string, string];
    const tenant = centre.tenants[tenantIndex];
    const [requests = '0', uncached = '0', read = '0', write = '0', output = '0', reasoning = '0'] = values.map(String);
    return {
      tenant_id: tenant?.id ?? null,
      tenant_key: tenant?.team ?? UNMAPPED_TEAM,
      site_id: siteId,
      model,
      requests,
      input_uncached: uncached,
      input_cache_read: read,
      input_cache_write: write,
      output,
      reasoning,
    };
  });
}

/** Accelerator-milliseconds of all members inside [fromMs, toMs). */
function gpuMs(workload: Workload, fromMs: number, toMs: number): Rational {
  return workload.members.reduce((sum, member) => sum.add(heldMs(member, fromMs, toMs)), Rational.of(0));
}

function efficiencyOf(centre: Centre, workload: Workload, evidence: Evidence): Efficiency {
  const inPeriod = gpuMs(workload, centre.periodStartMs, centre.periodEndMs);
  // Samples come from whole devices: a partition is sampled as one.
  const deviceMs = workload.members.reduce((sum, member) => {
    const ms = Math.min(member.endMs, centre.periodEndMs) - Math.max(member.startMs, centre.periodStartMs);
    return sum + Math.max(ms, 0) * member.devices.length;
  }, 0);
  return evidence.efficiency(workload, deviceMs, inPeriod.n / inPeriod.d);
}

function expectedWorkload(centre: Centre, workload: Workload, efficiency: Efficiency): ExpectedWorkload {
  const inPeriod = gpuMs(workload, centre.periodStartMs, centre.periodEndMs);
  return {
    workload_id: workload.id,
    tenant_id: workload.tenantId,
    site_id: workload.siteId,
    accelerator_model: workload.accelerator,
    allocations: workload.members.length,
    inferred_ends: workload.members.filter((member) => member.forceDeleted).length,
    gpu_ms: gpuMs(workload, 0, Number.MAX_SAFE_INTEGER).toFixed(0),
    gpu_ms_in_period: inPeriod.toFixed(0),
    gpu_hours_in_period: inPeriod.divide(Rational.of(HOUR_MS)).toFixed(6),
    ...efficiency,
  };
}

/** Totals per tenant, sorted by id. */
function billsOf(lines: readonly ExpectedLine[]): { tenant_id: string; total: string }[] {
  const amounts = new Map<string, string[]>();
  for (const line of lines) amounts.set(line.tenant_id, [...(amounts.get(line.tenant_id) ?? []), line.amount]);
  return [...amounts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([tenantId, values]) => ({ tenant_id: tenantId, total: sumDecimals(values, 2) }));
}
