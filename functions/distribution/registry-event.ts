/**
 * What registries tell: EventBridge events of ECR and notifications of an OCI distribution registry, as one kind of value. Both are best
 * effort, may be doubled, late and out of order: an event is a hint to look, and `key` is the same for every telling of one fact.
 * Sources: https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html; distribution docs/content/about/notifications.md.
 */
import { isDigest } from '../domain/oci.ts';

/** deleted, scanned, cached and referrer are only recorded; pushed and replicated wake the reconciler. */
export type RegistryEventKind = 'pushed' | 'deleted' | 'replicated' | 'scanned' | 'cached' | 'referrer';

export interface RegistryEvent {
  readonly kind: RegistryEventKind;
  /** region, repository, digest, tag, result: never the sender's own event id. */
  readonly key: string;
  /** Region, or name of the site, whose registry it happened in: for a replication the destination. */
  readonly site: string;
  /** AWS account of that registry; empty elsewhere. */
  readonly account: string;
  /** Region that a replica came from; empty otherwise. */
  readonly fromSite: string;
  readonly repository: string;
  /** Empty when the event has none. */
  readonly digest: string;
  /** Empty when it arrived without one, as a clash with an immutable tag makes it do. */
  readonly tag: string;
  readonly succeeded: boolean;
  /** Epoch ms, by the sender. */
  readonly at_ms: number;
}

/** ignored: an event of a kind that says nothing to kashi. refused: one that it should say something, and does not. */
export type ReadEvent =
  | { readonly is: 'event'; readonly event: RegistryEvent }
  | { readonly is: 'ignored'; readonly why: string }
  | { readonly is: 'refused'; readonly field: string; readonly found: string };

const ECR_KINDS: Readonly<Record<string, RegistryEventKind>> = {
  'ECR Replication Action': 'replicated',
  'ECR Image Scan': 'scanned',
  'ECR Pull Through Cache Action': 'cached',
  'ECR Referrer Action': 'referrer',
};
const ACTION_KINDS: Readonly<Record<string, RegistryEventKind>> = { PUSH: 'pushed', DELETE: 'deleted' };

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

/** Reads one parsed EventBridge event. Example: a "ECR Replication Action" with result SUCCESS in eu-west-1 → replicated at eu-west-1. */
export function readEcrEvent(value: unknown): ReadEvent {
  if (!isFields(value) || text(value, 'source') !== 'aws.ecr') return { is: 'ignored', why: 'not of source aws.ecr' };
  const { detail } = value;
  if (!isFields(detail)) return { is: 'refused', field: 'detail', found: typeof detail };
  const detailType = text(value, 'detail-type');
  const action = text(detail, 'action-type');
  const kind = detailType === 'ECR Image Action' ? ACTION_KINDS[action] : ECR_KINDS[detailType];
  if (kind === undefined) return { is: 'ignored', why: [detailType, action].filter((part) => part !== '').join(' ') };
  return eventOf({
    kind,
    site: text(value, 'region'),
    account: text(value, 'account'),
    fromSite: text(detail, 'source-region'),
    repository: text(detail, 'repository-name'),
    digest: text(detail, 'image-digest'),
    tag: kind === 'scanned' ? firstText(detail['image-tags']) : text(detail, 'image-tag'),
    result: text(detail, kind === 'scanned' ? 'scan-status' : kind === 'cached' ? 'sync-status' : 'result'),
    time: text(value, 'time'),
  });
}

/** Reads the body of a notification of an OCI distribution registry (Debian docker-registry and others): one event or more. */
export function readDistributionEvents(value: unknown, site: string): readonly ReadEvent[] {
  if (!isFields(value) || !Array.isArray(value['events'])) return [{ is: 'refused', field: 'events', found: typeof value }];
  return value['events'].map((event: unknown) => {
    const target = isFields(event) ? event['target'] : undefined;
    if (!isFields(event) || !isFields(target)) return { is: 'refused', field: 'events[].target', found: typeof target };
    const kind = ACTION_KINDS[text(event, 'action').toUpperCase()];
    const isManifest = text(target, 'mediaType').includes('manifest');
    if (kind === undefined || !(isManifest || kind === 'deleted'))
      return { is: 'ignored', why: `${text(event, 'action')} of ${text(target, 'mediaType') || 'nothing named'}` };
    return eventOf({
      kind,
      site,
      account: '',
      fromSite: '',
      repository: text(target, 'repository'),
      digest: text(target, 'digest'),
      tag: text(target, 'tag'),
      result: 'SUCCESS',
      time: text(event, 'timestamp'),
    });
  });
}

function firstText(value: unknown): string {
  return Array.isArray(value) && typeof value[0] === 'string' ? value[0] : '';
}

const GOOD = new Set(['SUCCESS', 'COMPLETE', 'ACTIVE']);
/** Kinds that say nothing without the digest of the image. */
const NEEDS_DIGEST = new Set<RegistryEventKind>(['pushed', 'replicated', 'referrer', 'scanned']);

function eventOf(read: Omit<RegistryEvent, 'key' | 'succeeded' | 'at_ms'> & { result: string; time: string }): ReadEvent {
  const { result, time, ...rest } = read;
  const at_ms = Date.parse(time);
  if (rest.site === '') return { is: 'refused', field: 'region', found: 'nothing' };
  if (rest.repository === '') return { is: 'refused', field: 'repository-name', found: 'nothing' };
  if (NEEDS_DIGEST.has(rest.kind) ? !isDigest(rest.digest) : rest.digest !== '' && !isDigest(rest.digest))
    return { is: 'refused', field: 'image-digest', found: rest.digest === '' ? 'nothing' : rest.digest };
  if (result === '') return { is: 'refused', field: 'result', found: 'nothing' };
  if (Number.isNaN(at_ms)) return { is: 'refused', field: 'time', found: time === '' ? 'nothing' : time };
  const key = [rest.kind, rest.site, rest.repository, rest.digest, rest.tag, result].join('|');
  return { is: 'event', event: { ...rest, key, succeeded: GOOD.has(result), at_ms } };
}
