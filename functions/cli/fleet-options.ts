/** Options and openings that commands of the fleet share. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { FleetEvent } from '../distribution/fleet-event.ts';
import { FleetLog } from '../distribution/fleet-log.ts';
import { membershipEvents } from '../distribution/membership.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { type Centre, openCentre } from './wiring.ts';
import { type OpenFleet, openFleet } from './wiring-fleet.ts';

export interface FleetOptions extends CommonOptions {
  readonly fleet?: string;
  readonly by?: string;
  readonly requestId?: string;
}

export function withFleetOptions(command: Command): Command {
  return withCentreOptions(command).option('--fleet <file>', 'fleet.yaml (default: beside kashi.yaml)');
}

/** Options of an order: who gives it, and its id. */
export function withOrderOptions(command: Command): Command {
  return withFleetOptions(command)
    .option('--by <name>', 'who orders it (default: the user of the machine)')
    .option('--request-id <id>', 'the same id is one order, however often it is given');
}

export interface FleetSession {
  readonly centre: Centre;
  readonly fleet: OpenFleet;
  readonly log: FleetLog;
}

/** Opens the log, and tells it of edges that were added to fleet.yaml, changed or taken out. */
export async function openFleetSession(options: FleetOptions): Promise<FleetSession> {
  const centre = openCentre(options);
  const fleet = openFleet(centre, options.fleet);
  const log = await FleetLog.open(centre.store);
  const atMs = centre.clock.now();
  for (const event of membershipEvents(log.state, fleet.edges, atMs)) await log.record(event);
  return { centre, fleet, log };
}

/** Who orders what, when. */
export function orderOf({ centre }: FleetSession, options: FleetOptions): { atMs: number; requestId: string; actor: string } {
  const { by = process.env['USER'] ?? 'operator', requestId = randomUUID() } = options;
  return { atMs: centre.clock.now(), requestId, actor: by };
}

/** Records an order; false when it changes nothing. */
export async function order({ log }: FleetSession, event: FleetEvent): Promise<boolean> {
  return await log.record(event);
}
