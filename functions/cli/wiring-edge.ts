/** Turns agent.yaml into what an edge's agent stands on. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { jsonFile, postBytes, runCommand } from '../adapters/edge-files.ts';
import { writeOutputFile } from '../adapters/output-file.ts';
import { ociRegistry } from '../adapters/registry-oci.ts';
import { createLocalKey, localSigner, publicKeyPath } from '../adapters/signer-local.ts';
import { readTextFile } from '../adapters/text-file.ts';
import { type AgentPorts, EMPTY_MEMORY } from '../distribution/edge-agent.ts';
import type { EdgeService } from '../distribution/edge-message.ts';
import type { Health } from '../distribution/fleet.ts';
import { type AgentFile, parseAgent } from '../domain/agent-file.ts';
import { parseOneYaml } from '../domain/yaml-config.ts';
import { systemClock } from './wiring.ts';

/** Errors: KashiError config_missing or config_invalid. */
export function openAgent(path: string, note: (line: string) => void): { readonly ports: AgentPorts; readonly file: AgentFile } {
  const fileName = resolve(path);
  const file = parseAgent(parseOneYaml(readTextFile(fileName), fileName), fileName);
  const beside = (name: string): string => resolve(dirname(fileName), name);
  const memory = jsonFile(beside(file.memory), EMPTY_MEMORY);
  const run = (command: readonly string[], service: EdgeService) => runCommand(command, environmentOf(file.edge, service), file.timeoutMs);
  const ports: AgentPorts = {
    edge: file.edge,
    hqKey: readTextFile(file.hqKey, fileName),
    attestationKey: readTextFile(file.attestationKey, fileName),
    registry: ociRegistry({ url: file.registryUrl }),
    signer: localSigner(beside(file.signingKey), 'ecdsa-p256-sha256'),
    clock: systemClock,
    post: (body) => postBytes(`${file.hq}/v1/edges/${file.edge}`, body),
    ...memory,
    sync: (service) => run(file.sync, service),
    ready: (service) => run(file.ready, service),
    health: async (service) => (file.health === null ? null : healthOf((await run(file.health, service)).text)),
    note,
  };
  return { ports, file };
}

/** What the commands of an agent find in their environment. */
function environmentOf(edge: string, service: EdgeService): Record<string, string> {
  return {
    KASHI_EDGE: edge,
    KASHI_SERVICE: service.service,
    KASHI_MODEL: service.model,
    KASHI_MODEL_VERSION: service.model_version,
    KASHI_IMAGE: service.image,
    KASHI_DIGEST: service.image_digest,
    KASHI_RELEASE: service.release_id,
    KASHI_GENERATION: String(service.generation),
    KASHI_COMMIT: service.commit,
  };
}

/** Null for a text that holds no measurement: nothing is made up. */
function healthOf(text: string): Health | null {
  try {
    const { error_rate = null, ttft_p95_ms = null, tokens_per_second = null } = JSON.parse(text) as Record<string, string | null>;
    return { errorRate: error_rate, ttftP95Ms: ttft_p95_ms, tokensPerSecond: tokens_per_second };
  } catch {
    return null;
  }
}

/** Makes the agent's key and its public half beside it, unless there is one. */
export function createAgentKey(path: string): { readonly made: boolean; readonly publicKeyPath: string } {
  const made = createLocalKey(resolve(path), 'ecdsa-p256-sha256');
  const beside = publicKeyPath(resolve(path));
  if (!existsSync(beside)) writeOutputFile(beside, localSigner(resolve(path), 'ecdsa-p256-sha256').publicKey);
  return { made, publicKeyPath: beside };
}
