/** `kashi fleet metrics`: the fleet's numbers as Prometheus text, for a textfile collector or a scrape of `kashi fleet run --listen`. */
import { Command } from 'commander';
import { fleetEvents } from '../distribution/fleet-log.ts';
import { type EdgeTimes, partsOf, readTimeline } from '../distribution/lead-time.ts';
import { type FleetMeasures, fleetMeasures, INSTANTS, instantsOf, WAITING } from '../distribution/measures.ts';
import type { ObjectStore } from '../ports.ts';
import { type FleetOptions, openFleetSession, withFleetOptions } from './fleet-options.ts';
import { printJson, printLines } from './output.ts';

/** Runs of a service that are told: a time series for every run there ever was would never end. */
const RUNS = 3;

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function metricsCommand(): Command {
  return withFleetOptions(
    new Command('metrics').description('lead times t0 … t9 and troubles as Prometheus text: each stage, edge and wave'),
  ).action(async (options: FleetOptions) => {
    const { centre, log } = await openFleetSession(options);
    const measures = fleetMeasures(log.state, centre.clock.now());
    if (options.json === true) printJson({ measures, edges: await recentTimes(centre.store) });
    else printLines(metricsLines(measures, await recentTimes(centre.store)));
  });
}

interface Told {
  readonly times: EdgeTimes;
  readonly parts: ReturnType<typeof partsOf>;
}

/** Of the newest runs of each service. */
export async function recentTimes(store: ObjectStore): Promise<Told[]> {
  const { runs, times } = await readTimeline(fleetEvents(store));
  const newest = (service: string): number[] => runs.filter((run) => run.service === service).map(({ generation }) => generation);
  return runs
    .filter(
      ({ service, generation }) =>
        newest(service)
          .sort((a, b) => b - a)
          .indexOf(generation) < RUNS,
    )
    .flatMap((run) => {
      const its = times.filter(({ service, generation }) => service === run.service && generation === run.generation);
      return its.map((one) => ({ times: one, parts: partsOf(one, run, its) }));
    });
}

const GAUGES: Readonly<Record<keyof FleetMeasures, readonly [name: string, help: string]>> = {
  edges: ['edges', 'edges of the fleet'],
  offline: ['edges_offline', 'edges that are not heard of'],
  underWay: ['rollouts_under_way', 'rollouts that are neither live nor ended, one an edge'],
  stalledSeconds: ['stalled_seconds', 'longest time without progress of a rollout that waits for nobody but kashi, a registry or an edge'],
  unproven: ['unproven', 'images that are at an edge and could not be proven there'],
  replicationFailed: ['replication_failed', 'edges to which replication failed or is stuck'],
  unhealthy: ['unhealthy', 'rollouts that an edge calls unhealthy'],
  stopped: ['runs_stopped', 'services whose newest run was stopped because edges failed'],
  deadDeliveries: ['deliveries_dead', 'messages to edges that were given up'],
};

/** Source: prometheus.io/docs/instrumenting/exposition_formats. Instants are epoch seconds, durations seconds. */
export function metricsLines(measures: FleetMeasures, told: readonly Told[]): string[] {
  const gauges = Object.entries(GAUGES).flatMap(([member, [name, help]]) =>
    family(`kashi_fleet_${name}`, help, [[{}, measures[member as keyof FleetMeasures]]]),
  );
  const instants = told.flatMap(({ times }) =>
    INSTANTS.flatMap((stage) => sample({ ...labelsOf(times), stage }, instantsOf(times)[stage])),
  );
  const parts = told.flatMap(({ times, parts: its }) =>
    Object.entries(its).flatMap(([part, ms]) =>
      sample({ ...labelsOf(times), part, kind: WAITING.has(part as keyof typeof its) ? 'waiting' : 'work' }, ms),
    ),
  );
  const leads = told.flatMap(({ times }) => sample(labelsOf(times), times.liveMs === null ? null : times.liveMs - times.promotedMs));
  const moved = told.map(({ times }) => [labelsOf(times), times.bytesMoved] as const);
  return [
    ...gauges,
    ...family('kashi_fleet_instant_seconds', 'when a stage was reached: t0 promoted … t9 live', instants),
    ...family('kashi_fleet_part_seconds', 'how long a part of the way took; waiting is apart from work', parts),
    ...family('kashi_fleet_lead_time_seconds', 'from the promotion to live', leads),
    ...family('kashi_fleet_bytes_moved', 'bytes that kashi sent to the edge', moved),
  ];
}

type Labels = Readonly<Record<string, string>>;

function labelsOf({ service, generation, kind, edge, wave, release }: EdgeTimes): Labels {
  return { service, edge, wave: String(wave + 1), generation: String(generation), run: kind, version: release.modelVersion };
}

function sample(labels: Labels, ms: number | null): (readonly [Labels, number])[] {
  return ms === null ? [] : [[labels, ms / 1_000]];
}

function family(name: string, help: string, samples: readonly (readonly [Labels, number])[]): string[] {
  if (samples.length === 0) return [];
  const text = (labels: Labels): string => {
    const pairs = Object.entries(labels).map(
      ([label, value]) => `${label}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
    );
    return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  };
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...samples.map(([labels, value]) => `${name}${text(labels)} ${value}`)];
}
