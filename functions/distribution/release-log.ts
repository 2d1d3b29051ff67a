/** Releases of one model, by digest: what was built, pushed, attested and admitted. One log a model in the store. */
import { PREFIX } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';
import { type Release, type ReleaseState, releaseId } from '../domain/image-release.ts';
import type { Clock, ObjectStore } from '../ports.ts';
import { appendDecided, type LogEntry, readLog } from './event-log.ts';

type BuiltFacts = Omit<Release, 'release_id' | 'state' | 'attestation_digest' | 'at_ms'>;

export type ReleaseEvent =
  | { readonly kind: 'built'; readonly facts: BuiltFacts }
  | { readonly kind: 'pushed'; readonly image_digest: string; readonly repository: string }
  | { readonly kind: 'attested'; readonly image_digest: string; readonly attestation_digest: string }
  | { readonly kind: 'admitted'; readonly image_digest: string; readonly repository: string };

const ORDER: readonly ReleaseState[] = ['built', 'pushed', 'attested', 'admitted'];

function logOf(model: string): string {
  return `${PREFIX.releases}${model}/`;
}

/** Releases in the order in which they were built. */
export function foldReleases(entries: readonly LogEntry<ReleaseEvent>[]): Release[] {
  const releases = new Map<string, Release>();
  for (const { event, at_ms } of entries) {
    if (event.kind === 'built') {
      const { facts } = event;
      const id = releaseId(facts.model, facts.image_digest);
      releases.set(facts.image_digest, { ...facts, release_id: id, state: 'built', attestation_digest: null, at_ms: { built: at_ms } });
      continue;
    }
    const release = releases.get(event.image_digest);
    if (release === undefined) continue;
    releases.set(event.image_digest, {
      ...release,
      state: event.kind,
      at_ms: { ...release.at_ms, [event.kind]: at_ms },
      ...(event.kind === 'attested' ? { attestation_digest: event.attestation_digest } : { repository: event.repository }),
    });
  }
  return [...releases.values()];
}

export async function releasesOf(store: ObjectStore, model: string): Promise<Release[]> {
  return foldReleases((await readLog<ReleaseEvent>(store, logOf(model))).entries);
}

/** What a rollout may start from, oldest first. */
export async function admittedReleases(store: ObjectStore, model: string): Promise<Release[]> {
  return (await releasesOf(store, model)).filter(({ state }) => state === 'admitted');
}

/** The release with this digest. Errors: KashiError not_found. */
export async function releaseByDigest(store: ObjectStore, model: string, digest: string): Promise<Release> {
  const found = (await releasesOf(store, model)).find((one) => one.image_digest === digest);
  if (found !== undefined) return found;
  throw new KashiError('not_found', 'there is no release with this digest', { where: model, found: digest, hint: 'kashi release show' });
}

/**
 * Notes a build. A version and variant have one image: the same again is nothing new.
 * Errors: KashiError conflict when they have another digest already.
 */
export async function noteBuilt(store: ObjectStore, clock: Clock, facts: BuiltFacts): Promise<Release> {
  await appendDecided<ReleaseEvent>(store, clock, logOf(facts.model), (entries) => {
    const stands = foldReleases(entries).find((one) => one.version === facts.version && one.variant.name === facts.variant.name);
    if (stands === undefined) return { kind: 'built', facts };
    if (stands.image_digest === facts.image_digest) return null;
    throw new KashiError('conflict', 'this version and variant have an image already', {
      where: `${facts.model}:${facts.version} ${facts.variant.name}`,
      allowed: stands.image_digest,
      found: facts.image_digest,
      hint: 'the inputs or the recipe changed: register a new version, or name a new variant',
    });
  });
  return await releaseByDigest(store, facts.model, facts.image_digest);
}

export async function notePushed(store: ObjectStore, clock: Clock, release: Release, repository: string): Promise<Release> {
  return await advance(store, clock, release, { kind: 'pushed', image_digest: release.image_digest, repository });
}

export async function noteAttested(store: ObjectStore, clock: Clock, release: Release, attestation_digest: string): Promise<Release> {
  return await advance(store, clock, release, { kind: 'attested', image_digest: release.image_digest, attestation_digest });
}

/** Into the production repository, with its attestation: from here on a rollout may have it. */
export async function admitRelease(store: ObjectStore, clock: Clock, release: Release, repository: string): Promise<Release> {
  return await advance(store, clock, release, { kind: 'admitted', image_digest: release.image_digest, repository });
}

/** States are reached in order, each once; what was reached already is nothing new. */
async function advance(
  store: ObjectStore,
  clock: Clock,
  { model, image_digest }: Release,
  event: Exclude<ReleaseEvent, { kind: 'built' }>,
): Promise<Release> {
  await appendDecided<ReleaseEvent>(store, clock, logOf(model), (entries) => {
    const release = foldReleases(entries).find((one) => one.image_digest === image_digest);
    const at = release === undefined ? -1 : ORDER.indexOf(release.state);
    const next = ORDER.indexOf(event.kind);
    if (at >= next) return null;
    if (at === next - 1) return event;
    throw new KashiError('conflict', `a release that is ${release?.state ?? 'not built'} cannot be ${event.kind}`, {
      where: `${model}@${image_digest}`,
      allowed: ORDER.join(' → '),
    });
  });
  return await releaseByDigest(store, model, image_digest);
}
