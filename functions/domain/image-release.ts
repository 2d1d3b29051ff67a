/** A release: model version × variant = one image digest. Nothing about it is known without the digest. */
import { isTag } from './oci.ts';

/** What makes one image of a version another than the next: how the weights are stored, what serves them, on what. */
export interface Variant {
  /** `default` for the only one; part of the tag otherwise. */
  readonly name: string;
  readonly precision: string;
  readonly engine: string;
  readonly hardware: string;
}

/** pushed: in the staging repository. attested: with its signed statement. admitted: in the production repository, the only replicated one. */
export type ReleaseState = 'built' | 'pushed' | 'attested' | 'admitted';

export interface Release {
  /** `<model>-<first 16 hex digits of the image digest>`. */
  readonly release_id: string;
  readonly model: string;
  readonly version: string;
  readonly variant: Variant;
  readonly image_digest: string;
  /** Of manifest, config and layers. */
  readonly image_bytes: number;
  /** SHA-256 of the recipe's record: its command, and the digests of what went in and came out. */
  readonly recipe_digest: string;
  readonly training_job: string;
  readonly state: ReleaseState;
  /** Digest of the referrer manifest that carries the DSSE envelope; null before it is attested. */
  readonly attestation_digest: string | null;
  readonly repository: string;
  readonly tag: string;
  /** When each state was reached, epoch ms. */
  readonly at_ms: Readonly<Partial<Record<ReleaseState, number>>>;
  /** When the build was asked for and when the recipe ended: t0 and t1 of a lead time belong to the promotion and to this. */
  readonly requested_at_ms: number;
  readonly optimised_at_ms: number;
}

/** Candidates; never replicated. */
export const STAGING_PREFIX = 'staging-models';
/** What may reach an edge. */
export const PRODUCTION_PREFIX = 'production-models';

/** Example: ('production-models', 'llama3-8b-sft') → 'production-models/llama3-8b-sft-service'. */
export function serviceRepository(prefix: string, model: string): string {
  return `${prefix}/${model}-service`;
}

/** The version, and behind it the variant unless it is the default one. Example: ('v2.1.0', 'int4') → 'v2.1.0-int4'. */
export function releaseTag(version: string, variantName: string): string {
  return variantName === 'default' ? version : `${version}-${variantName}`;
}

export function isVariantName(text: string): boolean {
  return text.length <= 60 && isTag(text);
}

export function releaseId(model: string, imageDigest: string): string {
  return `${model}-${imageDigest.slice('sha256:'.length, 'sha256:'.length + 16)}`;
}

/** Annotations of the image, and labels of its config: what a pod's downward API and a registry show. */
export const ANNOTATION = {
  model: 'dev.kashi.model',
  version: 'dev.kashi.model-version',
  variant: 'dev.kashi.variant',
  trainingJob: 'dev.kashi.training-job',
  recipe: 'dev.kashi.recipe-digest',
} as const;

/** Artifact type of the referrer that carries the DSSE envelope. */
export const ATTESTATION_TYPE = 'application/vnd.dsse.envelope.v1+json';
