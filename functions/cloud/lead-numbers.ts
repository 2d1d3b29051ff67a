/** The lead time of a release that has just gone live at an edge, as numbers of a metrics document. */
import { METRIC } from '../contract.ts';
import type { Fleet } from '../distribution/fleet.ts';
import type { FleetEvent } from '../distribution/fleet-event.ts';
import { partsOf } from '../distribution/lead-time.ts';
import { instantsOf, timesOfRun, WAITING } from '../distribution/measures.ts';

export interface LeadNumbers {
  /** By service, edge and wave. */
  readonly dimensions: Readonly<Record<string, string>>;
  /** LeadTimeSeconds, LeadWorkSeconds, and Lead<Part>Seconds of each part that is known. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Release and the instants t0 … t9, as texts. */
  readonly facts: Readonly<Record<string, string>>;
}

/** Null when the event is none of a release going live, or the run is forgotten. `fleet`: the state after the event. */
export function leadNumbers(fleet: Fleet, event: FleetEvent): LeadNumbers | null {
  if (event.type !== 'live') return null;
  const run = fleet.services[event.service]?.runs.find(({ generation }) => generation === event.generation);
  if (run === undefined) return null;
  const all = timesOfRun(fleet, run);
  const one = all.find(({ edge }) => edge === event.edge);
  if (one?.liveMs == null) return null;
  const parts = Object.entries(partsOf(one, run, all)).flatMap(([part, ms]) => (ms === null ? [] : [[part, ms] as const]));
  const work = parts.reduce((sum, [part, ms]) => sum + (WAITING.has(part as 'wave') ? 0 : ms), 0);
  const named = parts.map(([part, ms]) => [`Lead${part.charAt(0).toUpperCase()}${part.slice(1)}Seconds`, ms / 1_000]);
  const instants = Object.entries(instantsOf(one)).flatMap(([stage, ms]) => (ms === null ? [] : [[stage, new Date(ms).toISOString()]]));
  return {
    dimensions: { rollout: one.service, edge: one.edge, wave: String(one.wave + 1) },
    seconds: { [METRIC.leadTime]: (one.liveMs - one.promotedMs) / 1_000, [METRIC.leadWork]: work / 1_000, ...Object.fromEntries(named) },
    facts: {
      release: one.release.releaseId,
      digest: one.release.digest,
      generation: String(one.generation),
      ...Object.fromEntries(instants),
    },
  };
}
