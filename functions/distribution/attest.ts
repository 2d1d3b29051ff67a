/**
 * What an image was made from, signed, and kept beside it: an in-toto statement with a SLSA provenance predicate in a DSSE envelope, as an OCI
 * referrer. Sources: in-toto/attestation spec/v1, slsa.dev/spec/v1.1/provenance, secure-systems-lab/dsse protocol.md.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { canonicalJson } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { ATTESTATION_TYPE, type Variant } from '../domain/image-release.ts';
import { type Descriptor, EMPTY_BLOB, type ImageManifest, MEDIA } from '../domain/oci.ts';
import { keyIdOf } from '../ledger/signed.ts';
import type { BlobSource, ImageRegistry, Signer } from '../ports.ts';

const STATEMENT = 'https://in-toto.io/Statement/v1';
const PREDICATE = 'https://slsa.dev/provenance/v1';
const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const BUILD_TYPE = 'https://kashi.dev/release/v1';
const MAX_ENVELOPE_BYTES = 8 * 1024 * 1024;

export interface Material {
  /** What it is, such as `input/model-00001.safetensors` or `code`. */
  readonly name: string;
  readonly uri?: string;
  /** Algorithm → hex. */
  readonly digest: Readonly<Record<string, string>>;
}

export interface Statement {
  readonly _type: typeof STATEMENT;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicateType: typeof PREDICATE;
  readonly predicate: {
    readonly buildDefinition: {
      readonly buildType: string;
      readonly externalParameters: { readonly model: string; readonly version: string; readonly variant: Variant; readonly recipe: object };
      readonly internalParameters: { readonly recipe_digest: string; readonly training_job: string };
      readonly resolvedDependencies: readonly Material[];
    };
    readonly runDetails: { readonly builder: { readonly id: string }; readonly metadata: { readonly invocationId: string } };
  };
}

export interface AttestedBuild {
  readonly repository: string;
  readonly imageDigest: string;
  readonly model: string;
  readonly version: string;
  readonly variant: Variant;
  readonly trainingJob: string;
  readonly recipe: object;
  readonly recipeDigest: string;
  readonly materials: readonly Material[];
  readonly builder: string;
}

interface Envelope {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

export function statementOf(build: AttestedBuild): Statement {
  const { repository, imageDigest, model, version, variant, recipe, recipeDigest, trainingJob, materials, builder } = build;
  return {
    _type: STATEMENT,
    subject: [{ name: repository, digest: { sha256: imageDigest.slice('sha256:'.length) } }],
    predicateType: PREDICATE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { model, version, variant, recipe },
        internalParameters: { recipe_digest: recipeDigest, training_job: trainingJob },
        resolvedDependencies: materials,
      },
      runDetails: { builder: { id: builder }, metadata: { invocationId: `${model}:${version}:${variant.name}` } },
    },
  };
}

/** What DSSE signs: the type and the payload, each with its length. */
function preAuthentication(payloadType: string, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `), payload]);
}

/** Bytes of the signed envelope. */
export async function signStatement(signer: Signer, statement: Statement): Promise<Uint8Array> {
  const payload = Buffer.from(canonicalJson(statement));
  const sig = Buffer.from(await signer.sign(preAuthentication(PAYLOAD_TYPE, payload))).toString('base64');
  const envelope: Envelope = {
    payloadType: PAYLOAD_TYPE,
    payload: payload.toString('base64'),
    signatures: [{ keyid: keyIdOf(signer.publicKey), sig }],
  };
  return Buffer.from(canonicalJson(envelope));
}

/** Puts the envelope beside the image it is about. Returns the digest of the referrer. */
export async function attachAttestation(
  registry: ImageRegistry,
  repository: string,
  image: Descriptor,
  envelope: Uint8Array,
): Promise<string> {
  const layer = blobOf(envelope);
  const empty = blobOf(EMPTY_BLOB);
  await registry.putBlob(repository, empty);
  await registry.putBlob(repository, layer);
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    artifactType: ATTESTATION_TYPE,
    config: { mediaType: MEDIA.empty, digest: empty.digest, size: empty.size },
    layers: [{ mediaType: ATTESTATION_TYPE, digest: layer.digest, size: layer.size }],
    subject: image,
    annotations: { 'in-toto.io/predicate-type': PREDICATE },
  };
  return await registry.putManifest(repository, { mediaType: MEDIA.manifest, bytes: Buffer.from(canonicalJson(manifest)) }, null);
}

function blobOf(bytes: Uint8Array): BlobSource {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return {
    digest,
    size: bytes.length,
    open: async function* (fromByte) {
      yield bytes.subarray(fromByte);
    },
  };
}

export type Verdict =
  | { readonly verified: true; readonly statement: Statement; readonly attestationDigest: string; readonly keyId: string }
  | {
      readonly verified: false /** One reason for each attestation that was found, or why there is none. */;
      readonly reasons: readonly string[];
    };

/**
 * Whether the registry holds, beside the image, a statement about exactly this digest by the trusted key (PEM). Looks where it is told: a
 * proof at HQ proves nothing about an edge. Errors: those of the registry when it cannot be reached.
 */
export async function verifyAttestation(registry: ImageRegistry, repository: string, digest: string, trustedKey: string): Promise<Verdict> {
  if ((await registry.manifest(repository, digest)) === null) return { verified: false, reasons: [`the image is not in ${registry.host}`] };
  const found = await registry.referrers(repository, digest, ATTESTATION_TYPE);
  if (found.length === 0) return { verified: false, reasons: ['there is no attestation'] };
  const reasons: string[] = [];
  for (const referrer of found) {
    try {
      const envelope = await readEnvelope(registry, repository, digest, referrer.digest);
      return {
        verified: true,
        statement: openEnvelope(envelope, digest, trustedKey),
        attestationDigest: referrer.digest,
        keyId: keyIdOf(trustedKey),
      };
    } catch (error) {
      if (!(error instanceof KashiError)) throw error;
      reasons.push(`${referrer.digest.slice(0, 19)}: ${error.message}`);
    }
  }
  return { verified: false, reasons };
}

async function readEnvelope(registry: ImageRegistry, repository: string, imageDigest: string, referrer: string): Promise<Uint8Array> {
  const manifest = await registry.manifest(repository, referrer);
  if (manifest === null) throw doubt('the attestation is listed and not there');
  const { subject, layers } = parse(manifest.bytes) as Partial<ImageManifest>;
  const layer = layers?.[0];
  if (subject?.digest !== imageDigest || layer === undefined) throw doubt('it is about another image');
  if (layer.size > MAX_ENVELOPE_BYTES) throw doubt('it is too large');
  const pieces: Uint8Array[] = [];
  for await (const piece of registry.readBlob(repository, layer)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The statement of an envelope. Errors: KashiError store_corrupt for another key, another image, a changed byte. */
export function openEnvelope(bytes: Uint8Array, imageDigest: string, trustedKey: string): Statement {
  const { payloadType, payload, signatures } = parse(bytes) as Partial<Envelope>;
  if (payloadType !== PAYLOAD_TYPE || typeof payload !== 'string' || !Array.isArray(signatures)) throw doubt('it is no signed statement');
  const signed = Buffer.from(payload, 'base64');
  const key = createPublicKey(trustedKey);
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const message = preAuthentication(PAYLOAD_TYPE, signed);
  // keyid is a hint that nobody signed: every signature is tried with the one key that is trusted.
  const good = signatures.some(
    (one: { sig?: unknown }) => typeof one?.sig === 'string' && verify(algorithm, message, key, Buffer.from(one.sig, 'base64')),
  );
  if (!good) throw doubt('it is not signed by the trusted key');
  const statement = parse(signed) as Statement;
  if (statement._type !== STATEMENT || statement.predicateType !== PREDICATE) throw doubt('it states something else');
  if (!statement.subject.some((one) => `sha256:${one.digest.sha256}` === imageDigest)) throw doubt('it is about another image');
  return statement;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw doubt('it is no JSON');
  }
}

function doubt(message: string): KashiError {
  return new KashiError('store_corrupt', message);
}
