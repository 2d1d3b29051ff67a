/** What a watcher left behind, for `kashi status` and `kashi doctor`. */
import type { WatchState } from '../watch/state.ts';
import { tableLines, visible } from './output.ts';
import type { ProvisionalBill } from './watch-stages.ts';
import type { Centre } from './wiring.ts';
import { isRunning, readProvisionalBills, readWatchState, thisProcess } from './wiring-watch.ts';

export interface WatchHealth {
  /** ended: by SIGTERM, or --once. gone: it was killed. */
  readonly state: 'running' | 'ended' | 'gone';
  readonly host: string;
  readonly pid: number;
  /** Whole seconds since the last cycle (or object) ended; since the last one in which everything worked. */
  readonly age_seconds: number;
  readonly ok_age_seconds: number | null;
  readonly waiting: number;
  readonly reading: string | null;
  readonly failing: WatchState['failing'];
  readonly faults: WatchState['faults'];
}

export interface ProvisionalAge {
  readonly period: string;
  readonly total: string;
  readonly currency: string;
  readonly unrated: number;
  readonly snapshot: number;
  readonly age_seconds: number;
}

/** A watcher on another machine cannot be asked: it runs while its state is this fresh. */
const REMOTE_FRESH_MS = 15 * 60_000;

/** Null when nobody has watched this warehouse. */
export function watchHealth(centre: Centre): WatchHealth | null {
  const state = readWatchState<WatchState>(centre);
  if (state === null) return null;
  const now = centre.clock.now();
  const { host, pid, ended_at_ms, cycle_at_ms, ok_at_ms, waiting, in_hand, failing, faults } = state;
  return {
    state:
      ended_at_ms !== null
        ? 'ended'
        : isRunning(state) || (host !== thisProcess.host && now - cycle_at_ms < REMOTE_FRESH_MS)
          ? 'running'
          : 'gone',
    host,
    pid,
    age_seconds: seconds(now - cycle_at_ms),
    ok_age_seconds: ok_at_ms === null ? null : seconds(now - ok_at_ms),
    waiting,
    reading: in_hand?.name ?? null,
    failing,
    faults,
  };
}

export function provisionalAges(centre: Centre): ProvisionalAge[] {
  return readProvisionalBills<ProvisionalBill>(centre).map(({ period, total, currency, unrated, snapshot, refreshed_at_ms }) => ({
    period,
    total,
    currency,
    unrated: unrated.length,
    snapshot,
    age_seconds: seconds(centre.clock.now() - refreshed_at_ms),
  }));
}

function seconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1_000));
}

/** One line. Example: 'running (pid 812 on hq-1), last cycle 3 s ago, well 3 s ago; 2 waiting'. */
export function healthLine(health: WatchHealth): string {
  const { state, host, pid, age_seconds, ok_age_seconds, waiting, reading } = health;
  const well = ok_age_seconds === null ? 'never yet well' : `well ${ageText(ok_age_seconds)} ago`;
  return [
    `${state} (pid ${pid} on ${visible(host)}), last cycle ${ageText(age_seconds)} ago, ${well}`,
    ...(reading === null ? [] : [`reading ${visible(reading)}`]),
    ...(waiting === 0 ? [] : [`${waiting} waiting`]),
  ].join('; ');
}

/** Example: 200 → '3 min'. */
export function ageText(age: number): string {
  if (age < 120) return `${age} s`;
  if (age < 7_200) return `${Math.floor(age / 60)} min`;
  return age < 172_800 ? `${Math.floor(age / 3_600)} h` : `${Math.floor(age / 86_400)} d`;
}

/** What `kashi status` prints of it. */
export function watchLines(health: WatchHealth | null, provisional: readonly ProvisionalAge[]): string[] {
  const troubles = health === null ? [] : [...health.faults.map((one) => ({ name: `(${one.stage})`, ...one })), ...health.failing];
  return [
    ...(health === null ? [] : ['', `Watch: ${healthLine(health)}`]),
    ...troubles.map(({ name, error, tries }) => `  ${visible(name)}: ${tries} ${tries === 1 ? 'try' : 'tries'}: ${visible(error)}`),
    ...(provisional.length === 0
      ? []
      : [
          '',
          'Provisional bills:',
          ...tableLines(
            ['period', 'total', 'currency', 'unrated', 'snapshot', 'age'],
            provisional.map((one) => [
              one.period,
              one.total,
              one.currency,
              String(one.unrated),
              String(one.snapshot),
              ageText(one.age_seconds),
            ]),
            new Set([1, 3, 4]),
          ),
        ]),
  ];
}
