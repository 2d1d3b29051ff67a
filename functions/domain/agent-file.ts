/** agent.yaml: what an edge's agent needs to know. Paths are as typed: relative ones are meant from the file's folder. */
import agentSchema from '../../schemas/agent.schema.json' with { type: 'json' };
import { validate, type YamlDocument } from './yaml-config.ts';

export interface AgentFile {
  readonly edge: string;
  /** URL of headquarters, without path. */
  readonly hq: string;
  readonly hqKey: string;
  readonly attestationKey: string;
  readonly signingKey: string;
  readonly registryUrl: string;
  readonly memory: string;
  readonly sync: readonly string[];
  readonly ready: readonly string[];
  /** Prints one JSON object {error_rate, ttft_p95_ms, tokens_per_second}, each a decimal text or null. */
  readonly health: readonly string[] | null;
  readonly timeoutMs: number;
}

interface RawAgent {
  readonly edge: string;
  readonly hq: string;
  readonly hq_key: string;
  readonly attestation_key: string;
  readonly signing_key: string;
  readonly registry: string;
  readonly memory?: string;
  readonly sync: readonly string[];
  readonly ready: readonly string[];
  readonly health?: readonly string[];
  readonly timeout_seconds?: number;
}

/** Errors: KashiError config_invalid. */
export function parseAgent(document: YamlDocument, fileName: string): AgentFile {
  const raw = validate<RawAgent>(document, agentSchema, fileName);
  return {
    edge: raw.edge,
    hq: raw.hq,
    hqKey: raw.hq_key,
    attestationKey: raw.attestation_key,
    signingKey: raw.signing_key,
    registryUrl: raw.registry,
    memory: raw.memory ?? 'agent-memory.json',
    sync: raw.sync,
    ready: raw.ready,
    health: raw.health ?? null,
    timeoutMs: (raw.timeout_seconds ?? 1_800) * 1_000,
  };
}
