/** A few small releases, built and attested once, that every simulated centre rolls out. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { MemoryRegistry } from '../../functions/adapters/registry-memory.ts';
import { attachAttestation, signStatement, statementOf } from '../../functions/distribution/attest.ts';
import type { DeployedRelease } from '../../functions/distribution/fleet.ts';
import { canonicalJson } from '../../functions/domain/canonical-json.ts';
import { type ImageManifest, MEDIA } from '../../functions/domain/oci.ts';
import type { Signer } from '../../functions/ports.ts';

export function newSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    algorithm: 'ed25519',
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: async (bytes) => sign(null, bytes, privateKey),
  };
}

export interface Supply {
  readonly hq: MemoryRegistry;
  readonly signer: Signer;
  readonly releases: readonly DeployedRelease[];
}

const REPOSITORY = 'production-models/chat-service';

export async function makeSupply(count: number): Promise<Supply> {
  const hq = new MemoryRegistry('hq:5000');
  const signer = newSigner();
  const releases: DeployedRelease[] = [];
  for (let n = 1; n <= count; n += 1) releases.push(await buildRelease(hq, signer, `v${n}`));
  return { hq, signer, releases };
}

async function buildRelease(hq: MemoryRegistry, signer: Signer, version: string): Promise<DeployedRelease> {
  const blobs = await Promise.all(['config of', 'server of', 'weights of'].map((what) => put(hq, `${what} ${version}`)));
  const [config, ...layers] = blobs;
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: { mediaType: MEDIA.config, ...config! },
    layers: layers.map((layer) => ({ mediaType: MEDIA.layer, ...layer })),
  };
  const bytes = Buffer.from(canonicalJson(manifest));
  const digest = await hq.putManifest(REPOSITORY, { mediaType: MEDIA.manifest, bytes }, version);
  const variant = { name: 'default', precision: 'int4', engine: 'vllm', hardware: 'l40s' };
  const statement = statementOf({
    ...{ repository: REPOSITORY, imageDigest: digest, model: 'chat', version, variant, trainingJob: `train-${version}`, recipe: {} },
    ...{ recipeDigest: digest.slice(7), materials: [], builder: 'sim' },
  });
  const subject = { mediaType: MEDIA.manifest, digest, size: bytes.length };
  const attestationDigest = await attachAttestation(hq, REPOSITORY, subject, await signStatement(signer, statement));
  return {
    releaseId: `chat-${digest.slice(7, 23)}`,
    service: 'chat',
    model: 'chat',
    modelVersion: version,
    repository: REPOSITORY,
    tag: version,
    digest,
    attestationDigest,
    bytes: blobs.reduce((sum, { size }) => sum + size, 0),
    trainingJob: `train-${version}`,
    ...{ optimisedAtMs: null, builtAtMs: null, pushedAtMs: null, attestedAtMs: null },
  };
}

async function put(hq: MemoryRegistry, text: string): Promise<{ digest: string; size: number }> {
  const bytes = Buffer.from(text);
  const blob = { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, size: bytes.length };
  const open = async function* (): AsyncIterable<Uint8Array> {
    yield bytes;
  };
  await hq.putBlob(REPOSITORY, { ...blob, open });
  return blob;
}
