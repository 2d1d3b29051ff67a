/**
 * The state of all rollouts: which release each edge should run, how far it has come there, and what ran before. Plain data; reducer.ts
 * derives it from the event log, nothing else does. Instants are epoch ms.
 */
import type { BandWindow } from '../domain/tariff.ts';

/** A release at one edge, from being asked for to serving. Only `verified` may become `committed`. */
export const STAGES = ['pending', 'replicating', 'replicated', 'verified', 'committed', 'synced', 'live'] as const;
export type Stage = (typeof STAGES)[number];

/** Why a rollout at an edge ended before it was live. */
export type Exit = 'superseded' | 'skipped' | 'held' | 'rolled_back';

/** Who saw it: an event of a registry, a poll of the reconciler, the agent of the edge, or kashi itself. */
export type ObservedBy = 'event' | 'poll' | 'agent' | 'kashi';

export interface Mark {
  readonly atMs: number;
  readonly by: ObservedBy;
}

/** What is rolled out: one image of one service, named by digest. */
export interface DeployedRelease {
  readonly releaseId: string;
  readonly service: string;
  readonly model: string;
  readonly modelVersion: string;
  /** Without a registry: the same at headquarters and at every edge. */
  readonly repository: string;
  readonly tag: string;
  /** Of the image manifest, sha256:…. */
  readonly digest: string;
  /** Of the attestation manifest; must be present and valid wherever the image is used. */
  readonly attestationDigest: string;
  /** Bytes of the image's blobs, shared ones once. */
  readonly bytes: number;
  readonly trainingJob: string | null;
  /** When the earlier stages ended, for the lead time; null where unknown. */
  readonly optimisedAtMs: number | null;
  readonly builtAtMs: number | null;
  readonly pushedAtMs: number | null;
  readonly attestedAtMs: number | null;
}

/** Highest values at which a wave passes, as decimal text; null: not judged. */
export interface SloGate {
  readonly errorRate: string | null;
  readonly ttftP95Ms: string | null;
  /** Lowest share of the tokens per second of what ran before; not judged where nothing did. */
  readonly tokensPerSecondShare: string | null;
}

/** What an edge measures of its service, decimal text; null where it does not measure. */
export interface Health {
  readonly errorRate: string | null;
  readonly ttftP95Ms: string | null;
  readonly tokensPerSecond: string | null;
}

/** Edges that commit together once the wave before passed. */
export interface WavePlan {
  /** So many edges, or so many percent of all; the last wave takes the rest whatever it says. */
  readonly size: { readonly edges: number } | { readonly percent: number };
  readonly maxFailed: number;
  readonly soakMs: number;
}

export interface RolloutPlan {
  readonly waves: readonly WavePlan[];
  readonly slo: SloGate | null;
  /** Commits only inside one of these; empty: always. */
  readonly windows: readonly (BandWindow & { readonly zone: string })[];
  /** An edge that is not live so long after its commit counts as failed. */
  readonly settleMs: number;
  /** Edges of a wave that are proven wait so long for the others, to go in one commit. */
  readonly gatherMs: number;
  /** Replication that takes longer is stuck: kashi copies the image itself. */
  readonly stuckMs: number;
  /** A release that was live within this time before a rollback needs no waves on its way back. */
  readonly rollbackWindowMs: number;
}

export interface Edge {
  readonly edge: string;
  /** Site of the inventory: where its gateway's records are billed. */
  readonly site: string;
  /** As the edge's own nodes name its registry: host:port, without scheme. */
  readonly registry: string;
  /** Bytes a second for copies to it; null: as fast as it goes. */
  readonly bandwidth: number | null;
  /** Where signed messages are posted; null: it polls. */
  readonly hook: string | null;
  /** Place in the order of waves; equal ones go by name. */
  readonly order: number;
  /** No network reaches it: bundles are carried there, receipts back. Nobody waits for it, and it is never offline. */
  readonly carried?: boolean;
}

export interface EdgeState extends Edge {
  /** Since when it is not heard of; null while it is. */
  readonly offlineSinceMs: number | null;
  /** Messages issued to it; the newest has this number. */
  readonly sequence: number;
  readonly delivery: Delivery | null;
}

/** The newest message on its way to an edge that has a hook. Older ones need not arrive: each says all there is to know. */
export interface Delivery {
  readonly sequence: number;
  readonly issuedAtMs: number;
  readonly attempts: number;
  readonly lastAttemptMs: number | null;
  readonly state: 'waiting' | 'accepted' | 'dead';
}

export interface EdgeRollout {
  readonly edge: string;
  readonly generation: number;
  readonly releaseId: string;
  readonly digest: string;
  readonly wave: number;
  readonly stage: Stage;
  readonly exit: Exit | null;
  /** When a stage was reached, the first time since the rollout last began anew. */
  readonly marks: Readonly<Partial<Record<Stage, Mark>>>;
  readonly bytesMoved: number;
  /** Replications that failed, and proofs. */
  readonly faults: number;
  readonly lastFault: string | null;
  /** Not to be tried again before; 0: now. */
  readonly retryAtMs: number;
  /** Set when replication takes far longer than it should. */
  readonly stuck: boolean;
  readonly unhealthy: boolean;
  /** Sequence of the message that announced it. */
  readonly announced: number | null;
  readonly commit: string | null;
}

/** A digest that was live at an edge, and is kept there for the way back. */
export interface Kept {
  readonly releaseId: string;
  readonly digest: string;
  readonly generation: number;
  readonly untilMs: number;
}

export interface Live {
  readonly releaseId: string;
  readonly digest: string;
  readonly generation: number;
  readonly sinceMs: number;
}

/** One service at one edge. */
export interface Target {
  /** The newest rollout that reached Git. */
  readonly settled: EdgeRollout | null;
  /** What is on its way; a rollout that ended early stays until the next, to be seen. */
  readonly upcoming: EdgeRollout | null;
  /** What the agent last reported as serving. */
  readonly live: Live | null;
  /** Newest first. */
  readonly kept: readonly Kept[];
  /** Nothing else is rolled out here while set. */
  readonly pin: string | null;
  /** Of what is live, and of what was live before it. */
  readonly health: Health | null;
  readonly healthBefore: Health | null;
}

/** One decision to move a service: a promotion or a rollback. */
export interface Run {
  readonly service: string;
  readonly generation: number;
  readonly kind: 'promotion' | 'rollback';
  /** Release of a promotion; of a rollback the one that is left. */
  readonly releaseId: string;
  readonly requestId: string;
  readonly actor: string;
  readonly startedAtMs: number;
  readonly plan: RolloutPlan;
  /** Edges by wave. */
  readonly waves: readonly (readonly string[])[];
  /** failed: a wave was rolled back and the rest is held. */
  readonly state: 'distributing' | 'failed' | 'superseded';
  readonly paused: boolean;
  readonly reason: string | null;
}

export interface ServiceState {
  readonly service: string;
  /** Of its newest run. */
  readonly generation: number;
  /** What an edge that joins gets. */
  readonly wanted: string | null;
  readonly releases: Readonly<Record<string, DeployedRelease>>;
  /** The newest ones, by generation. */
  readonly runs: readonly Run[];
  readonly targets: Readonly<Record<string, Target>>;
}

export interface Fleet {
  readonly edges: Readonly<Record<string, EdgeState>>;
  readonly services: Readonly<Record<string, ServiceState>>;
  /** '' freezes everything, else a service, or an edge as '@edge'. Rollbacks pass. */
  readonly frozen: readonly string[];
  /** Ids of requests that were taken, the newest last. */
  readonly requests: readonly string[];
}

export const EMPTY_FLEET: Fleet = { edges: {}, services: {}, frozen: [], requests: [] };

/** Digests kept at an edge for the way back, beside the one that is live. */
export const KEPT_DIGESTS = 3;

export function stageIndex(stage: Stage): number {
  return STAGES.indexOf(stage);
}

/** True once the rollout is in Git. */
export function isCommitted(rollout: EdgeRollout): boolean {
  return stageIndex(rollout.stage) >= stageIndex('committed');
}

/** The rollout that this generation has at the target, wherever it is. */
export function rolloutOf(target: Target, generation: number): EdgeRollout | null {
  if (target.upcoming?.generation === generation) return target.upcoming;
  return target.settled?.generation === generation ? target.settled : null;
}

/** Digests that an edge's registry must not collect: what is live, what comes, what it may go back to, and pins. Sorted. */
export function protectedDigests(fleet: Fleet, edge: string): string[] {
  const digests = new Set<string>();
  for (const service of Object.values(fleet.services)) {
    const target = service.targets[edge];
    if (target === undefined) continue;
    for (const one of [target.settled, target.upcoming, target.live, ...target.kept]) if (one !== null) digests.add(one.digest);
    if (target.pin !== null) digests.add(target.pin);
  }
  return [...digests].sort();
}
