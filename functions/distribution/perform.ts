/** Does what the reducer asks for, and says what came of it as events. Every act may be repeated. */
import { KashiError } from '../domain/errors.ts';
import type { Clock, GitHost, HookSender, ImageRegistry, ObjectStore, Signer } from '../ports.ts';
import { deliverMessage } from './edge-delivery.ts';
import { edgeService, issueMessage } from './edge-message.ts';
import type { EdgeState, Fleet } from './fleet.ts';
import type { Command, EventOf, FleetEvent } from './fleet-event.ts';
import { commitWave } from './gitops.ts';
import type { CopyState, ImageCopies } from './image-copies.ts';
import { proveImage } from './proof.ts';

export interface RolloutWorld {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly git: GitHost;
  readonly copies: ImageCopies;
  readonly registryOf: (edge: EdgeState) => ImageRegistry;
  /** Public key (PEM) that must have signed an image's attestation. */
  readonly attestationKey: string;
  readonly proofDepth: 'present' | 'read';
  /** Signs messages to edges. */
  readonly signer: Signer;
  readonly hooks: HookSender;
  /** Headers that a hook of an edge wants beside the signed body. */
  readonly hookHeaders: (edge: EdgeState, id: string, body: string, nowMs: number) => Readonly<Record<string, string>>;
}

const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 600_000;

/** Events that follow. Errors: KashiError for what only a person can mend, such as manifests that would not run the image. */
export async function perform(world: RolloutWorld, fleet: Fleet, command: Command): Promise<readonly FleetEvent[]> {
  switch (command.kind) {
    case 'replicate':
    case 'copy':
    case 'poll':
      return await performCopy(world, fleet, command);
    case 'prove':
      return await performProof(world, fleet, command);
    case 'commit':
      return await performCommit(world, command);
    case 'announce':
      return await performAnnouncement(world, fleet, command);
    case 'deliver':
      return await performDelivery(world, fleet, command);
  }
}

type Of<Kind extends Command['kind']> = Extract<Command, { readonly kind: Kind }>;

async function performCopy(world: RolloutWorld, fleet: Fleet, command: Of<'replicate' | 'poll'> | Of<'copy'>): Promise<FleetEvent[]> {
  const edge = fleet.edges[command.edge];
  if (edge === undefined) return [];
  const { repository, digest, service } = command.release;
  const { clock, copies } = world;
  const act = { replicate: copies.start, poll: copies.state, copy: copies.copy }[command.kind];
  const state = await act(edge, command.release).catch(
    (error: unknown): CopyState => ({ status: 'failed', bytesMoved: 0, fault: error instanceof Error ? error.message : String(error) }),
  );
  const about = { atMs: clock.now(), edge: command.edge, repository, digest, by: command.kind === 'poll' ? 'poll' : 'kashi' } as const;
  if (state.status === 'complete') return [{ ...about, type: 'replicated', bytesMoved: state.bytesMoved }];
  const rollout = fleet.services[service]?.targets[command.edge]?.upcoming;
  if (state.status === 'failed')
    return [{ ...about, type: 'replication_failed', fault: state.fault ?? '', retryAtMs: about.atMs + retryMs(rollout?.faults ?? 0) }];
  const sinceMs = rollout?.marks.replicating?.atMs ?? about.atMs;
  const stuckMs = fleet.services[service]?.runs[0]?.plan.stuckMs ?? Number.POSITIVE_INFINITY;
  return about.atMs - sinceMs >= stuckMs ? [{ ...about, type: 'replication_stuck' }] : [{ ...about, type: 'replicating' }];
}

/** Example: 0 faults → 5 s, 3 → 40 s, 10 → 10 min. */
function retryMs(faults: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(faults, 10));
}

async function performProof(world: RolloutWorld, fleet: Fleet, { edge: name, release, generation }: Of<'prove'>): Promise<FleetEvent[]> {
  const edge = fleet.edges[name];
  if (edge === undefined) return [];
  const { repository, digest, service } = release;
  const { attestationKey: trustedKey, proofDepth: depth, clock } = world;
  const proof = await proveImage({ registry: world.registryOf(edge), repository, digest, trustedKey, depth });
  const about = { atMs: clock.now(), service, edge: name, digest, generation };
  if (proof.is === 'proven') return [{ ...about, type: 'verified', bytesMoved: 0 }];
  const faults = fleet.services[service]?.targets[name]?.upcoming?.faults ?? 0;
  return [{ ...about, type: 'proof_failed', what: proof.is, fault: proof.fault, retryAtMs: about.atMs + retryMs(faults) }];
}

async function performCommit(world: RolloutWorld, command: Of<'commit'>): Promise<FleetEvent[]> {
  const { commit, edges } = await commitWave(world.git, world.clock, command);
  const { service, generation } = command;
  return edges.length === 0 ? [] : [{ type: 'committed', atMs: world.clock.now(), service, generation, edges, commit }];
}

async function performAnnouncement(
  world: RolloutWorld,
  fleet: Fleet,
  { edge: name, release, generation }: Of<'announce'>,
): Promise<FleetEvent[]> {
  const edge = fleet.edges[name];
  if (edge === undefined) return [];
  const services = Object.values(fleet.services).flatMap(({ targets, releases }) => {
    const settled = targets[name]?.settled ?? null;
    const its = settled === null ? undefined : releases[settled.releaseId];
    return settled === null || its === undefined ? [] : [edgeService(edge.registry, its, settled.generation, settled.commit ?? '')];
  });
  const { message } = await issueMessage(world, name, edge.sequence, services);
  const { service, digest } = release;
  const event: EventOf<'announced'> = {
    type: 'announced',
    atMs: world.clock.now(),
    ...{ service, edge: name, digest, generation, sequence: message.sequence },
  };
  return [event];
}

async function performDelivery(world: RolloutWorld, fleet: Fleet, { edge: name, sequence }: Of<'deliver'>): Promise<FleetEvent[]> {
  const edge = fleet.edges[name];
  if (edge?.hook == null || edge.delivery === null) return [];
  const type = await deliverMessage(world, edge, sequence);
  return [{ type, atMs: world.clock.now(), edge: name, sequence }];
}

/** What a person has to mend, in one line. */
export function faultText(error: unknown): string {
  if (!(error instanceof KashiError)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  return error.toLines().join(' ').replaceAll(/ {2,}/g, ' ');
}
