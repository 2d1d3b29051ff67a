/** What happens to a fleet: the records of its event log. Every one carries its instant; the reducer has no clock. */
import type { DeployedRelease, Edge, Health, ObservedBy, RolloutPlan } from './fleet.ts';

interface At {
  readonly atMs: number;
}

/** One thing about a release at an edge. `generation` null: whatever is under way with that digest (registries know no generation). */
interface AtEdge extends At {
  readonly service: string;
  readonly edge: string;
  readonly digest: string;
  readonly generation: number;
}

interface OfRegistry extends At {
  readonly edge: string;
  readonly repository: string;
  readonly digest: string;
  readonly by: ObservedBy;
}

/** A person's or a program's order; the same requestId twice is one order. */
interface Requested extends At {
  readonly requestId: string;
  readonly actor: string;
}

export type FleetEvent =
  | (At & { readonly type: 'edge_joined'; readonly edge: Edge })
  | (At & { readonly type: 'edge_left'; readonly edge: string })
  | (At & { readonly type: 'edge_offline' | 'edge_online'; readonly edge: string })
  | (Requested & { readonly type: 'promoted'; readonly release: DeployedRelease; readonly plan: RolloutPlan })
  | (Requested & {
      readonly type: 'rollback';
      readonly service: string;
      /** Null: to whatever each edge ran before. */
      readonly releaseId: string | null;
      /** Null: every edge that has the release which is left. */
      readonly edges: readonly string[] | null;
      readonly reason: string;
      readonly plan: RolloutPlan;
    })
  | (Requested & { readonly type: 'paused' | 'resumed'; readonly service: string })
  | (Requested & { readonly type: 'frozen' | 'thawed'; readonly scope: string })
  | (Requested & { readonly type: 'pinned'; readonly service: string; readonly edge: string; readonly digest: string | null })
  | (OfRegistry & { readonly type: 'replicating' })
  | (OfRegistry & { readonly type: 'replicated'; readonly bytesMoved: number })
  | (OfRegistry & { readonly type: 'replication_failed'; readonly fault: string; readonly retryAtMs: number })
  | (OfRegistry & { readonly type: 'replication_stuck' })
  | (AtEdge & { readonly type: 'verified'; readonly bytesMoved: number })
  /** absent, corrupt: the image goes back to be replicated. attestation, unreachable: it waits where it is. */
  | (AtEdge & {
      readonly type: 'proof_failed';
      readonly what: 'absent' | 'corrupt' | 'attestation' | 'unreachable';
      readonly fault: string;
      readonly retryAtMs: number;
    })
  | (At & {
      readonly type: 'committed';
      readonly service: string;
      readonly generation: number;
      readonly edges: readonly string[];
      readonly commit: string;
    })
  /** Git was found to say so: whoever committed it did not live to tell. */
  | (AtEdge & { readonly type: 'found_committed'; readonly commit: string })
  | (AtEdge & { readonly type: 'announced'; readonly sequence: number })
  | (At & {
      readonly type: 'delivered' | 'delivery_failed' | 'delivery_dead' | 'replayed';
      readonly edge: string;
      readonly sequence: number;
    })
  | (AtEdge & { readonly type: 'synced' | 'live' })
  | (AtEdge & { readonly type: 'unhealthy'; readonly reason: string })
  | (AtEdge & { readonly type: 'health'; readonly health: Health });

export type FleetEventType = FleetEvent['type'];

/** Events of these types; of a member that has several, all of them. */
export type EventOf<Type extends FleetEventType> = Extract<FleetEvent, { readonly type: Type }>;

/** What the state asks for. Each may be done twice, or late, without harm: the key names the effect. */
export type Command =
  | { readonly kind: 'replicate'; readonly edge: string; readonly release: DeployedRelease; readonly repair: boolean }
  | { readonly kind: 'poll'; readonly edge: string; readonly release: DeployedRelease }
  | { readonly kind: 'copy'; readonly edge: string; readonly release: DeployedRelease; readonly repair: boolean }
  | { readonly kind: 'prove'; readonly edge: string; readonly release: DeployedRelease; readonly generation: number }
  | {
      readonly kind: 'commit';
      readonly service: string;
      readonly generation: number;
      readonly wave: number;
      readonly edges: readonly { readonly edge: string; readonly registry: string; readonly release: DeployedRelease }[];
    }
  | {
      readonly kind: 'announce';
      readonly edge: string;
      readonly release: DeployedRelease;
      readonly generation: number;
      readonly commit: string;
    }
  | { readonly kind: 'deliver'; readonly edge: string; readonly sequence: number };

export type CommandKind = Command['kind'];

/** Names the effect of a command: two with one key need only one of them done. */
export function commandKey(command: Command): string {
  switch (command.kind) {
    case 'replicate':
    case 'poll':
    case 'copy':
      // Starting, asking and copying are one transfer.
      return `copy|${command.edge}|${command.release.repository}|${command.release.digest}`;
    case 'prove':
    case 'announce':
      return `${command.kind}|${command.edge}|${command.release.service}|${command.generation}`;
    case 'commit':
      return `commit|${command.service}|${command.generation}|${command.edges.map(({ edge }) => edge).join(',')}`;
    case 'deliver':
      return `deliver|${command.edge}|${command.sequence}`;
  }
}
