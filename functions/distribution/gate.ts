/** Whether a wave may commit: the waves before it are live, healthy and have soaked, and nothing holds it. */
import { DateTime } from 'luxon';
import { Rational } from '../domain/money.ts';
import { WEEKDAYS, windowHolds } from '../domain/tariff.ts';
import {
  type Fleet,
  type Health,
  isCommitted,
  type RolloutPlan,
  type Run,
  rolloutOf,
  type ServiceState,
  type SloGate,
  type WavePlan,
} from './fleet.ts';

export type Gate =
  | { readonly open: true }
  /** `untilMs`: when it may open by itself; null: something has to happen first. */
  | {
      readonly open: false;
      readonly why: 'paused' | 'stopped' | 'window' | 'wave' | 'failed' | 'soak' | 'health';
      readonly edges: readonly string[];
      readonly untilMs: number | null;
    };

type Standing = 'passed' | 'failed' | 'waiting';

/** The plan of a wave; one that the plan does not list is as the last. */
export function wavePlan(plan: RolloutPlan, wave: number): WavePlan {
  return plan.waves[wave] ?? plan.waves.at(-1) ?? { size: { percent: 100 }, maxFailed: 0, soakMs: 0 };
}

/** Whether edges of that wave may be committed now. Rollbacks know no waves but those of their own, no windows and no soak. */
export function gateOf(fleet: Fleet, service: ServiceState, run: Run, wave: number, nowMs: number): Gate {
  if (run.paused) return closed('paused');
  if (run.state === 'failed') return closed('stopped');
  for (let earlier = 0; earlier < wave; earlier += 1) {
    const gate = passedGate(fleet, service, run, earlier, nowMs);
    if (!gate.open) return gate;
  }
  if (run.kind === 'promotion' && !insideWindow(run.plan, nowMs)) return closed('window');
  return { open: true };
}

/** Whether a wave came through: nobody is waited for, few enough failed, the rest is healthy and has soaked. */
function passedGate(fleet: Fleet, service: ServiceState, run: Run, wave: number, nowMs: number): Gate {
  const edges = run.waves[wave] ?? [];
  const { maxFailed, soakMs } = wavePlan(run.plan, wave);
  const failed = failedIn(fleet, service, run, wave, nowMs);
  if (failed.length > maxFailed) return closed('failed', failed);
  const waiting = edges.filter((edge) => standing(fleet, service, run, edge, nowMs) === 'waiting');
  if (waiting.length > 0) return closed('wave', waiting);
  const live = edges.filter((edge) => !failed.includes(edge) && service.targets[edge]?.live?.generation === run.generation);
  if (run.kind === 'rollback') return { open: true };
  const unmeasured = run.plan.slo === null ? [] : live.filter((edge) => service.targets[edge]?.health == null);
  if (unmeasured.length > 0) return closed('health', unmeasured);
  const sinceMs = Math.max(run.startedAtMs, ...live.map((edge) => service.targets[edge]?.live?.sinceMs ?? 0));
  return nowMs < sinceMs + soakMs ? closed('soak', edges, sinceMs + soakMs) : { open: true };
}

/** Edges of a wave that count as failed at this instant. */
export function failedIn(fleet: Fleet, service: ServiceState, run: Run, wave: number, nowMs: number): string[] {
  return (run.waves[wave] ?? []).filter((edge) => standing(fleet, service, run, edge, nowMs) === 'failed');
}

function standing(fleet: Fleet, service: ServiceState, run: Run, edge: string, nowMs: number): Standing {
  const target = service.targets[edge];
  const state = fleet.edges[edge];
  if (target === undefined || state === undefined) return 'passed';
  const rollout = rolloutOf(target, run.generation);
  if (rollout?.unhealthy === true) return 'failed';
  if (target.live !== null && target.live.generation >= run.generation) return 'passed';
  // What is not under way in this generation any more belongs to a newer one.
  if (rollout === null || (rollout.exit !== null && rollout.exit !== 'held')) return 'passed';
  if (state.offlineSinceMs !== null || rollout.stuck) return 'failed';
  if (state.carried === true) return 'passed';
  return isCommitted(rollout) && nowMs - (rollout.marks.committed?.atMs ?? nowMs) > run.plan.settleMs ? 'failed' : 'waiting';
}

function closed(why: Exclude<Gate, { open: true }>['why'], edges: readonly string[] = [], untilMs: number | null = null): Gate {
  return { open: false, why, edges, untilMs };
}

/** Always true without windows. Windows are wall-clock times of their zone. */
export function insideWindow({ windows }: RolloutPlan, nowMs: number): boolean {
  return (
    windows.length === 0 ||
    windows.some((window) => {
      const local = DateTime.fromMillis(nowMs, { zone: window.zone });
      return windowHolds(window, local.month, WEEKDAYS[local.weekday - 1]!, local.hour * 60 + local.minute);
    })
  );
}

/** What is wrong with the measurements, or null. Example: gate 0.01 and an error rate of 0.02 → 'error rate 0.02, allowed 0.01'. */
export function judgeHealth(gate: SloGate, now: Health, before: Health | null): string | null {
  const above = (value: string | null, limit: string | null): boolean =>
    value !== null && limit !== null && Rational.of(value).compare(Rational.of(limit)) > 0;
  if (above(now.errorRate, gate.errorRate)) return `error rate ${now.errorRate}, allowed ${gate.errorRate}`;
  if (above(now.ttftP95Ms, gate.ttftP95Ms)) return `p95 time to first token ${now.ttftP95Ms} ms, allowed ${gate.ttftP95Ms} ms`;
  const { tokensPerSecondShare: share } = gate;
  const [rate, was] = [now.tokensPerSecond, before?.tokensPerSecond ?? null];
  if (share === null || rate === null || was === null) return null;
  const least = Rational.of(was).multiply(Rational.of(share));
  return Rational.of(rate).compare(least) < 0 ? `${rate} tokens a second, allowed ${share} of the ${was} before` : null;
}
