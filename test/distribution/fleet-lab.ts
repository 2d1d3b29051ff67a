/** A fleet on loopback for tests: registries, a bare Git repository, headquarters and agents, all of them real. */
import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jsonFile, postBytes } from '../../functions/adapters/edge-files.ts';
import { gitHost, initBareRepository } from '../../functions/adapters/git.ts';
import { httpHookSender } from '../../functions/adapters/hook-http.ts';
import { DEFAULT_LISTEN, type Listening, listenHttp } from '../../functions/adapters/http-receiver.ts';
import { ociRegistry } from '../../functions/adapters/registry-oci.ts';
import { createLocalKey, localSigner } from '../../functions/adapters/signer-local.ts';
import { localStore } from '../../functions/adapters/store-local.ts';
import { attachAttestation, signStatement, statementOf } from '../../functions/distribution/attest.ts';
import { Coordinator } from '../../functions/distribution/coordinator.ts';
import { EdgeAgent, EMPTY_MEMORY } from '../../functions/distribution/edge-agent.ts';
import type { DeployedRelease, Edge, RolloutPlan } from '../../functions/distribution/fleet.ts';
import { FleetLog } from '../../functions/distribution/fleet-log.ts';
import { makeHub } from '../../functions/distribution/hub.ts';
import { directCopies } from '../../functions/distribution/image-copies.ts';
import { canonicalJson } from '../../functions/domain/canonical-json.ts';
import { type ImageManifest, MEDIA } from '../../functions/domain/oci.ts';
import type { GitHost, ImageRegistry, ObjectStore, Signer } from '../../functions/ports.ts';

export const REPOSITORY = 'production-models/chat-service';
const clock = { now: () => Date.now() };

/** Bytes that no compressor makes smaller, the same for the same seed. */
export async function* seededBytes(seed: string, size: number, from = 0): AsyncIterable<Uint8Array> {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const step = 1024 * 1024;
  for (let at = 0; at < size; at += step) {
    const bytes = cipher.update(Buffer.alloc(Math.min(step, size - at)));
    if (at + bytes.length > from) yield at >= from ? bytes : bytes.subarray(from - at);
  }
}

export interface Layer {
  readonly seed: string;
  readonly size: number;
}

async function putLayer(registry: ImageRegistry, { seed, size }: Layer): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  for await (const bytes of seededBytes(seed, size)) hash.update(bytes);
  const digest = `sha256:${hash.digest('hex')}`;
  await registry.putBlob(REPOSITORY, { digest, size, open: (from) => seededBytes(seed, size, from) });
  return { digest, size };
}

/** Pushes an attested image of these layers to a registry, as the supply side leaves it there. */
export async function pushRelease(
  registry: ImageRegistry,
  signer: Signer,
  version: string,
  layers: readonly Layer[],
): Promise<DeployedRelease> {
  const config = await putLayer(registry, { seed: `config ${version}`, size: 400 });
  const blobs: { digest: string; size: number }[] = [];
  for (const layer of layers) blobs.push(await putLayer(registry, layer));
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: { mediaType: MEDIA.config, ...config },
    layers: blobs.map((blob) => ({ mediaType: MEDIA.layer, ...blob })),
  };
  const bytes = Buffer.from(canonicalJson(manifest));
  const digest = await registry.putManifest(REPOSITORY, { mediaType: MEDIA.manifest, bytes }, version);
  const statement = statementOf({
    ...{ repository: REPOSITORY, imageDigest: digest, model: 'chat', version, trainingJob: `train-${version}`, recipe: {}, materials: [] },
    ...{
      variant: { name: 'default', precision: 'int4', engine: 'vllm', hardware: 'l40s' },
      recipeDigest: digest.slice(7),
      builder: 'test',
    },
  });
  const subject = { mediaType: MEDIA.manifest, digest, size: bytes.length };
  const attestationDigest = await attachAttestation(registry, REPOSITORY, subject, await signStatement(signer, statement));
  return {
    ...{
      releaseId: `chat-${digest.slice(7, 23)}`,
      service: 'chat',
      model: 'chat',
      modelVersion: version,
      repository: REPOSITORY,
      tag: version,
    },
    ...{ digest, attestationDigest, bytes: [config, ...blobs].reduce((sum, { size }) => sum + size, 0), trainingJob: `train-${version}` },
    ...{ optimisedAtMs: null, builtAtMs: null, pushedAtMs: null, attestedAtMs: null },
  };
}

const BASE: Readonly<Record<string, string>> = {
  'services/chat/kustomization.yaml': 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - deployment.yaml\n',
  'services/chat/deployment.yaml':
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: chat}\nspec:\n  selector: {matchLabels: {app: chat}}\n  template:\n    metadata: {labels: {app: chat}}\n    spec:\n      containers:\n        - name: chat\n          image: chat-service\n',
};

/** A bare repository whose branch holds the service without image. */
export async function gitWithService(folder: string): Promise<{ readonly host: GitHost; readonly path: string }> {
  const path = join(folder, 'gitops.git');
  await initBareRepository(path, 'main');
  const host = gitHost(path, { branch: 'main', author: 'kashi <kashi@example.org>', remote: null });
  const files = new Map(Object.entries(BASE).map(([name, text]) => [name, Buffer.from(text)]));
  await host.move(null, await host.write({ parent: null, files, message: 'the service\n', atMs: clock.now() }));
  return { host, path };
}

export interface LabEdge {
  readonly edge: Edge;
  readonly registryUrl: string;
  readonly agent: EdgeAgent;
  /** What it serves: read from Git, as its controller does. */
  serving: string | null;
  online: boolean;
}

export class FleetLab {
  readonly folder: string;
  readonly store: ObjectStore;
  readonly git: { readonly host: GitHost; readonly path: string };
  readonly log: FleetLog;
  readonly coordinator: Coordinator;
  readonly hub: Listening;
  readonly signer: Signer;
  readonly hqKey: Signer;
  readonly edges = new Map<string, LabEdge>();
  readonly notes: string[] = [];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #registries = new Map<string, ImageRegistry>();
  readonly #keys = new Map<string, string>();

  private constructor(
    parts: Pick<FleetLab, 'folder' | 'store' | 'git' | 'log' | 'signer' | 'hqKey'> & { hqUrl: string; depth: 'present' | 'read' },
    hub: (lab: FleetLab) => Promise<Listening>,
    done: (lab: FleetLab, hub: Listening) => void,
  ) {
    Object.assign(this, parts);
    this.folder = parts.folder;
    this.store = parts.store;
    this.git = parts.git;
    this.log = parts.log;
    this.signer = parts.signer;
    this.hqKey = parts.hqKey;
    const registryOf = ({ edge }: Edge): ImageRegistry => this.#registries.get(edge)!;
    this.coordinator = new Coordinator(
      {
        ...{ store: this.store, clock, git: this.git.host, registryOf, attestationKey: this.signer.publicKey, proofDepth: parts.depth },
        ...{ signer: this.hqKey, hooks: httpHookSender, hookHeaders: () => ({}) },
        copies: directCopies({ hq: ociRegistry({ url: parts.hqUrl }), registryOf, clock, wait: (ms) => sleep(ms) }),
      },
      this.log,
      { copies: 4, onFault: (command, error) => void this.notes.push(`${command.kind}: ${(error as Error).message}`) },
    );
    this.hub = null as never;
    hub(this).then(
      (listening) => {
        (this as { hub: Listening }).hub = listening;
        done(this, listening);
      },
      (error: unknown) => this.notes.push(String(error)),
    );
    this.#running = this.coordinator.run(this.#stop.signal, 200);
  }

  /** Headquarters whose registry is at `hqUrl`; its files lie in `folder`. */
  static async open(folder: string, hqUrl: string, depth: 'present' | 'read' = 'present'): Promise<FleetLab> {
    mkdirSync(folder, { recursive: true });
    const keys = join(folder, 'keys');
    createLocalKey(join(keys, 'attest.pem'));
    createLocalKey(join(keys, 'fleet.pem'), 'ecdsa-p256-sha256');
    const store = localStore(join(folder, 'warehouse'));
    const log = await FleetLog.open(store);
    const git = await gitWithService(folder);
    const [signer, hqKey] = [localSigner(join(keys, 'attest.pem')), localSigner(join(keys, 'fleet.pem'), 'ecdsa-p256-sha256')];
    return await new Promise((resolve) => {
      new FleetLab(
        { folder, store, git, log, signer, hqKey, hqUrl, depth },
        (lab) => lab.#listen(),
        (lab) => resolve(lab),
      );
    });
  }

  async #listen(): Promise<Listening> {
    const service = makeHub({
      ...{ store: this.store, clock, keyOf: (edge) => this.#keys.get(edge) ?? null, registryTokens: () => [] },
      ...{ record: (event) => this.coordinator.record(event), heard: (edge, atMs) => this.#heard(edge, atMs) },
    });
    return await listenHttp(service, { ...DEFAULT_LISTEN, host: '127.0.0.1', port: 0 });
  }

  async #heard(edge: string, atMs: number): Promise<void> {
    if (this.log.state.edges[edge]?.offlineSinceMs != null) await this.coordinator.record({ type: 'edge_online', atMs, edge });
  }

  /** A new edge with its registry, its keys and its agent. */
  async join(name: string, registryUrl: string, order: number): Promise<LabEdge> {
    const key = join(this.folder, 'keys', `${name}.pem`);
    createLocalKey(key, 'ecdsa-p256-sha256');
    const signer = localSigner(key, 'ecdsa-p256-sha256');
    const edge: Edge = { edge: name, site: name, registry: new URL(registryUrl).host, bandwidth: null, hook: null, order };
    this.#registries.set(name, ociRegistry({ url: registryUrl }));
    this.#keys.set(name, signer.publicKey);
    const agent = new EdgeAgent({
      ...{
        edge: name,
        hqKey: this.hqKey.publicKey,
        attestationKey: this.signer.publicKey,
        registry: ociRegistry({ url: registryUrl }),
        signer,
        clock,
      },
      ...jsonFile(join(this.folder, 'agents', `${name}.json`), EMPTY_MEMORY),
      post: (body) => postBytes(`http://127.0.0.1:${this.hub.port}/v1/edges/${name}`, body),
      sync: async (service) => {
        const image = this.renderedImage(name);
        lab.serving = image;
        return { ok: image === service.image, text: image ?? 'nothing' };
      },
      ready: async () => ({ ok: true, text: '' }),
      health: async () => null,
      note: (line) => void this.notes.push(`${name}: ${line}`),
    });
    const lab: LabEdge = { edge, registryUrl, agent, serving: null, online: true };
    this.edges.set(name, lab);
    await this.coordinator.record({ type: 'edge_joined', atMs: clock.now(), edge });
    return lab;
  }

  /** The image of the edge's kustomization in Git. */
  renderedImage(edge: string): string | null {
    const text = execFileSync('git', ['--git-dir', this.git.path, 'show', `main:edges/${edge}/chat/kustomization.yaml`], {
      encoding: 'utf8',
    });
    const [, name] = /newName: "([^"]+)"/.exec(text) ?? [];
    const [, digest] = /digest: "(sha256:[0-9a-f]{64})"/.exec(text) ?? [];
    return name === undefined ? null : `${name}@${digest}`;
  }

  async promote(release: DeployedRelease, plan: RolloutPlan): Promise<void> {
    await this.coordinator.record({
      type: 'promoted',
      atMs: clock.now(),
      requestId: `promote ${release.releaseId} ${this.log.length}`,
      actor: 'test',
      release,
      plan,
    });
  }

  /** Agents work until `done`; edges that are not online do nothing. Errors: when it takes longer than `limitMs`. */
  async until(what: string, done: () => boolean, limitMs = 300_000): Promise<void> {
    const startedMs = Date.now();
    while (!done()) {
      if (Date.now() - startedMs > limitMs)
        throw new Error(
          `${what} did not happen\n${this.notes.slice(-20).join('\n')}\n${JSON.stringify(this.log.state.services['chat']?.targets)}`,
        );
      for (const { agent, online } of this.edges.values()) {
        if (!online) continue;
        await agent.poll();
        await agent.work();
      }
      await sleep(10);
    }
  }

  liveDigest(edge: string): string | null {
    return this.log.state.services['chat']?.targets[edge]?.live?.digest ?? null;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.hub.close();
  }
}
