/** fleet.yaml: registries, edges, Git, and how releases are rolled out. Paths are as typed: relative ones are meant from the file's folder. */
import fleetSchema from '../../schemas/fleet.schema.json' with { type: 'json' };
import { below, Faults, type Place } from './faults.ts';
import { isTimeZone } from './period.ts';
import type { BandWindow } from './tariff.ts';
import type { YamlDocument } from './yaml-config.ts';

export interface FleetEdge {
  readonly edge: string;
  readonly site: string;
  /** As headquarters reaches it. */
  readonly registryUrl: string;
  /** host:port as the edge's nodes name it. */
  readonly pullFrom: string;
  readonly publicKey: string | null;
  readonly hook: string | null;
  readonly secretFile: string | null;
  readonly bandwidth: number | null;
  readonly order: number;
  readonly carried: boolean;
}

export interface FleetWave {
  readonly size: { readonly edges: number } | { readonly percent: number };
  readonly maxFailed: number;
  readonly soakMs: number;
}

/** The same shape as a rollout's plan in functions/distribution. */
export interface FleetRollout {
  readonly waves: readonly FleetWave[];
  readonly slo: {
    readonly errorRate: string | null;
    readonly ttftP95Ms: string | null;
    readonly tokensPerSecondShare: string | null;
  } | null;
  readonly windows: readonly (BandWindow & { readonly zone: string })[];
  readonly settleMs: number;
  readonly gatherMs: number;
  readonly stuckMs: number;
  readonly rollbackWindowMs: number;
}

export interface FleetFile {
  readonly registryUrl: string;
  readonly git: { readonly repository: string; readonly remote: string | null; readonly branch: string; readonly author: string };
  readonly attestationKey: string;
  readonly signingKey: string;
  readonly registryTokenFile: string | null;
  readonly proof: 'present' | 'read';
  readonly offlineMs: number;
  /** Currency per GiB, decimal text; null: not stated. */
  readonly transferPerGib: string | null;
  readonly edges: readonly FleetEdge[];
  readonly rollout: FleetRollout;
}

interface RawEdge {
  readonly edge: string;
  readonly site?: string;
  readonly registry: string;
  readonly pull_from?: string;
  readonly public_key?: string;
  readonly hook?: string;
  readonly secret_file?: string;
  readonly bandwidth?: number;
  readonly order?: number;
  readonly carried?: boolean;
}

interface RawWave {
  readonly edges?: number;
  readonly percent?: number;
  readonly max_failed?: number;
  readonly soak_minutes?: number;
}

interface RawFleet {
  readonly registry: string;
  readonly git: { readonly repository: string; readonly remote?: string; readonly branch?: string; readonly author?: string };
  readonly attestation_key: string;
  readonly signing_key: string;
  readonly registry_token_file?: string;
  readonly proof?: 'present' | 'read';
  readonly offline_minutes?: number;
  readonly transfer_per_gib?: string;
  readonly edges: readonly RawEdge[];
  readonly rollout?: {
    readonly waves?: readonly RawWave[];
    readonly slo?: { readonly error_rate?: string; readonly ttft_p95_ms?: string; readonly tokens_per_second_share?: string };
    readonly windows?: readonly (BandWindow & { readonly zone: string })[];
    readonly settle_minutes?: number;
    readonly gather_seconds?: number;
    readonly stuck_minutes?: number;
    readonly rollback_window_hours?: number;
  };
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DEFAULT_WAVES: readonly RawWave[] = [{ edges: 1 }, { percent: 10 }, { percent: 50 }, { percent: 100 }];
const DEFAULT_AUTHOR = 'kashi <kashi@localhost>';

/** Errors: KashiError config_invalid naming every fault. */
export function parseFleet(document: YamlDocument, fileName: string): FleetFile {
  const faults = new Faults(fileName);
  const raw = faults.validated<RawFleet>(document, fleetSchema);
  if (raw !== null) checkNames(faults, { document, pointer: '' }, raw);
  faults.throwIfAny('config_invalid');
  const { git, edges, proof = 'present', offline_minutes: offlineMinutes = 15 } = raw!;
  return {
    registryUrl: raw!.registry,
    git: { repository: git.repository, remote: git.remote ?? null, branch: git.branch ?? 'main', author: git.author ?? DEFAULT_AUTHOR },
    attestationKey: raw!.attestation_key,
    signingKey: raw!.signing_key,
    registryTokenFile: raw!.registry_token_file ?? null,
    proof,
    offlineMs: offlineMinutes * MINUTE_MS,
    transferPerGib: raw!.transfer_per_gib ?? null,
    edges: edges.map(edgeOf),
    rollout: rolloutOf(raw!.rollout ?? {}),
  };
}

function checkNames(faults: Faults, place: Place, { edges, rollout }: RawFleet): void {
  for (const [index, { edge }] of edges.entries()) {
    const first = edges.findIndex((other) => other.edge === edge);
    if (first !== index) faults.add(below(place, 'edges', index, 'edge'), 'an edge twice', 'every edge once', edge);
  }
  for (const [index, { zone }] of (rollout?.windows ?? []).entries())
    if (!isTimeZone(zone)) faults.add(below(place, 'rollout', 'windows', index, 'zone'), 'unknown time zone', 'an IANA zone', zone);
}

function edgeOf(raw: RawEdge): FleetEdge {
  return {
    edge: raw.edge,
    site: raw.site ?? raw.edge,
    registryUrl: raw.registry,
    pullFrom: raw.pull_from ?? raw.registry.replace(/^https?:\/\//, ''),
    publicKey: raw.public_key ?? null,
    hook: raw.hook ?? null,
    secretFile: raw.secret_file ?? null,
    bandwidth: raw.bandwidth ?? null,
    order: raw.order ?? 0,
    carried: raw.carried ?? false,
  };
}

function rolloutOf(raw: NonNullable<RawFleet['rollout']>): FleetRollout {
  const { slo, waves = DEFAULT_WAVES } = raw;
  return {
    waves: waves.map(({ edges, percent = 100, max_failed: maxFailed = 0, soak_minutes: soak = 0 }) => ({
      size: edges === undefined ? { percent } : { edges },
      maxFailed,
      soakMs: soak * MINUTE_MS,
    })),
    slo:
      slo === undefined
        ? null
        : {
            errorRate: slo.error_rate ?? null,
            ttftP95Ms: slo.ttft_p95_ms ?? null,
            tokensPerSecondShare: slo.tokens_per_second_share ?? null,
          },
    windows: raw.windows ?? [],
    settleMs: (raw.settle_minutes ?? 30) * MINUTE_MS,
    gatherMs: (raw.gather_seconds ?? 60) * 1_000,
    stuckMs: (raw.stuck_minutes ?? 30) * MINUTE_MS,
    rollbackWindowMs: (raw.rollback_window_hours ?? 72) * HOUR_MS,
  };
}
