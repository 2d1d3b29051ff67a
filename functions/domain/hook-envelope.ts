/** What hooks of distribution say, in and out: a CloudEvents 1.0 envelope (structured JSON), signed as Standard Webhooks asks. */

export const HOOK_CONTENT_TYPE = 'application/cloudevents+json';

/** Types that kashi sends or takes; a taker ignores the ones it does not know. */
export const HOOK_TYPES = [
  'dev.kashi.model.registered.v1',
  'dev.kashi.model.promoted.v1',
  'dev.kashi.release.built.v1',
  'dev.kashi.edge.replicated.v1',
  'dev.kashi.edge.synced.v1',
  'dev.kashi.edge.live.v1',
  'dev.kashi.edge.unhealthy.v1',
] as const;
export type HookType = (typeof HOOK_TYPES)[number];

export interface HookEnvelope<Data = unknown> {
  readonly specversion: '1.0';
  readonly type: HookType;
  /** The same in every delivery, and in the header webhook-id. */
  readonly id: string;
  /** URI reference of the sender, such as `/hq`. */
  readonly source: string;
  /** RFC 3339. */
  readonly time: string;
  /** What it is about, such as `edge/eu-west-1` or `model/llama3-8b-sft/v2.1.0`. */
  readonly subject: string;
  readonly data: Data;
}

/** Data of dev.kashi.model.registered.v1 and .promoted.v1: a pointer, never the truth. */
export interface ModelHookData {
  readonly model: string;
  readonly version: string;
  readonly stage?: string;
}

/** Data of dev.kashi.edge.replicated.v1. */
export interface EdgeHookData {
  readonly releaseId: string;
  readonly generation: number;
  readonly model: string;
  readonly modelVersion: string;
  /** In the edge's own registry, by digest. */
  readonly imageRef: string;
  readonly tag: string;
  readonly imageDigest: string;
  readonly attestationDigest: string;
  readonly bytesMoved: number;
  readonly bytesTotal: number;
  readonly wave: number;
  readonly trainingJobId: string;
}
