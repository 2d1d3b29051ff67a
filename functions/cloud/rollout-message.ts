/** Messages of the rollout queue: an event of a registry as EventBridge hands it over, or a reason to look at what is due. */
import type { FleetEvent } from '../distribution/fleet-event.ts';
import { fleetEventOf } from '../distribution/hub.ts';
import { readEcrEvent } from '../distribution/registry-event.ts';

/** What a schedule or another function sends: the state says the rest. */
export function lookMessage(why: string, nowMs: number): string {
  return JSON.stringify({ look: why, at_ms: nowMs });
}

export type RolloutMessage =
  | { readonly is: 'events'; readonly events: readonly FleetEvent[] }
  | { readonly is: 'refused'; readonly why: string };

/** `account/region` → edges that pull from there. */
export type EdgesAt = ReadonlyMap<string, readonly string[]>;

/** Never throws. An event of a registry that is no edge's, as a push at headquarters, is a reason to look. */
export function readRolloutMessage(body: string, edgesAt: EdgesAt, nowMs: number): RolloutMessage {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { is: 'refused', why: 'it is not JSON' };
  }
  if (typeof value !== 'object' || value === null) return { is: 'refused', why: `it is ${JSON.stringify(value)}` };
  if ('look' in value) return { is: 'events', events: [] };
  const read = readEcrEvent(value);
  if (read.is === 'ignored') return { is: 'refused', why: read.why };
  if (read.is === 'refused') return { is: 'refused', why: `${read.field}: found ${read.found}` };
  const { account, site } = read.event;
  const events = (edgesAt.get(`${account}/${site}`) ?? []).flatMap((edge) => fleetEventOf(read.event, edge, nowMs) ?? []);
  return { is: 'events', events };
}
