/** A model version: what was trained, from what, how well, and how far it was let through. */
import { KashiError } from './errors.ts';
import { isTag } from './oci.ts';

/**
 * registered → staging → production → archived; rejected from anywhere before production. Back from archived to production is a rollback
 * by name, and a new generation.
 */
export const STAGES = ['registered', 'staging', 'production', 'archived', 'rejected'] as const;
export type Stage = (typeof STAGES)[number];

/** Where a version comes from. Empty texts are unknown, never guessed. */
export interface Provenance {
  /** Training script, as the team names it: a path in a repository. */
  readonly script: string;
  /** Revision of the code, such as a commit hash. */
  readonly code_revision: string;
  /** Data set with its version. */
  readonly data_set: string;
  readonly hyperparameters: Readonly<Record<string, string>>;
  /** Scheduler job whose GPU-hours are the training cost: joins to workload_id of allocations. */
  readonly training_job: string;
  /** Where the artefacts lie: a URI that an artefact source can pull. */
  readonly artifacts: string;
  /** The external registry that said so, such as `mlflow:https://mlflow.hq`, and its id of the version; empty when registered by hand. */
  readonly origin: string;
  readonly origin_id: string;
}

export interface ModelVersionFacts {
  readonly model: string;
  readonly version: string;
  readonly provenance: Provenance;
  /** Decimal texts. */
  readonly metrics: Readonly<Record<string, string>>;
  /** Framework and library versions of the training environment. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface Approval {
  readonly by: string;
  readonly reason: string;
  readonly for: Stage;
  readonly at_ms: number;
}

export interface StageChange {
  readonly from: Stage | null;
  readonly to: Stage;
  readonly by: string;
  readonly at_ms: number;
  /** Set when `to` is production: counts the model's promotions to production from 1, and never goes back. */
  readonly generation: number | null;
  /** SHA-256 of the judged gates that let it through; null for stages without gates. */
  readonly evidence: string | null;
}

/** A version as the registry's log folds to it. */
export interface ModelVersion extends ModelVersionFacts {
  readonly stage: Stage;
  readonly approvals: readonly Approval[];
  readonly history: readonly StageChange[];
  readonly registered_at_ms: number;
}

/** An alias of a model: a pointer with a memory, newest last. */
export interface Alias {
  readonly alias: string;
  readonly version: string;
  readonly history: readonly { readonly version: string | null; readonly by: string; readonly at_ms: number }[];
}

const MODEL = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;

/** True for a name that may be a path component of an image repository and of a key. */
export function isModelName(text: string): boolean {
  return text.length <= 100 && MODEL.test(text);
}

/** True for a version that may be an image tag, with room for a variant behind it. */
export function isVersionName(text: string): boolean {
  return text.length <= 60 && isTag(text);
}

/** Model and version of `model:version`. Errors: KashiError usage. */
export function parseModelVersion(text: string): { readonly model: string; readonly version: string } {
  const [, model = '', version = ''] = /^([^:]+):([^:]+)$/.exec(text) ?? [];
  if (isModelName(model) && isVersionName(version)) return { model, version };
  throw new KashiError('usage', 'not a model version', {
    allowed: '<model>:<version>, the model in lower case with . _ - between letters and digits, the version as an image tag',
    found: text,
  });
}
