/** Which workloads serve a model release and which trained it: what joins income per release to the GPU time it cost (SPEC 9). */
import { type Dated, overlaps } from './effective.ts';
import { below, type Place } from './faults.ts';
import type { PriceBook } from './price-book.ts';
import {
  datedEntry,
  type Entry,
  fixed,
  type Provenance,
  provenanceOf,
  type RawDecimal,
  type RawEntry,
  type Reading,
  requireModel,
} from './price-entry.ts';
import type { ReferenceRows } from './reference.ts';

export interface ReleaseTerms extends Provenance {
  /** As the gateway logs it. */
  readonly model: string;
  /** Empty for every image of the model. */
  readonly imageDigest: string;
  /** Empty for every site. */
  readonly siteId: string;
  readonly serving: readonly string[];
  readonly training: readonly string[];
  /** What training cost outside the centre, in the currency of the book, 2 decimals. */
  readonly otherTrainingCost: string;
}
export type Release = ReleaseTerms & Entry;

export interface RawRelease extends RawEntry {
  readonly model: string;
  readonly image_digest?: string;
  readonly site?: string;
  readonly serving: readonly string[];
  readonly training?: readonly string[];
  readonly other_training_cost?: RawDecimal;
}

/** A release; its selector is model, image digest and site. Faults: a model that the book does not list. */
export function readRelease(reading: Reading, place: Place, raw: RawRelease): Dated<ReleaseTerms> | null {
  const { image_digest: imageDigest = '', site = '', model } = raw;
  requireModel(reading, place, model);
  const terms: ReleaseTerms = {
    ...provenanceOf(raw),
    model,
    imageDigest,
    siteId: site,
    serving: raw.serving,
    training: raw.training ?? [],
    otherTrainingCost: fixed(raw.other_training_cost ?? 0, 2),
  };
  const label = `release ${model}${imageDigest === '' ? '' : ` ${imageDigest.slice(0, 19)}`}${site === '' ? '' : ` at ${site}`}`;
  return datedEntry(reading, place, raw, [model, imageDigest, site], label, terms);
}

/** Faults where one workload serves two releases at one place and time: its cost would count twice. */
export function checkServing({ faults }: Reading, releases: readonly Dated<ReleaseTerms>[]): void {
  const span = ({ fromMs, toMs }: Dated<ReleaseTerms>) => ({ fromMs, toMs: toMs ?? Number.MAX_SAFE_INTEGER });
  releases.forEach((release, index) => {
    for (const other of releases.slice(0, index)) {
      const [here, there] = [release.value.siteId, other.value.siteId];
      if (release.selector === other.selector || (here !== '' && there !== '' && here !== there) || !overlaps(span(release), span(other)))
        continue;
      const shared = release.value.serving.find((workload) => other.value.serving.includes(workload));
      if (shared === undefined) continue;
      const line = other.place.document.lineOf(other.place.pointer);
      const found = `${shared}, as in ${other.value.id} at line ${line}`;
      faults.add(below(release.place, 'serving'), 'a workload serves one release', 'a workload named once for a site', found);
    }
  });
}

/** Rows of ref_release and ref_release_workload. */
export function releaseRows(book: PriceBook | null): Pick<ReferenceRows, 'ref_release' | 'ref_release_workload'> {
  const releases = book?.releases ?? [];
  return {
    ref_release: releases.map((release) => ({
      release_id: release.id,
      model: release.model,
      image_digest: release.imageDigest,
      site_id: release.siteId,
      specificity: (release.imageDigest === '' ? 0 : 2) + (release.siteId === '' ? 0 : 1),
      other_training_cost: release.otherTrainingCost,
      from_ms: release.fromMs,
      to_ms: release.toMs,
    })),
    ref_release_workload: releases.flatMap(({ id, serving, training }) => [
      ...serving.map((workload) => ({ release_id: id, role: 'serving', workload_id: workload })),
      ...training.map((workload) => ({ release_id: id, role: 'training', workload_id: workload })),
    ]),
  };
}
