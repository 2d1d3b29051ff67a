/** Which commits a snapshot has beyond those of a rollup, and whether that is all that differs. */
import { type FoldedCommit, liveEntries, readSegment, type SegmentRef } from '../ledger/segment.ts';
import type { ObjectStore } from '../ports.ts';

/**
 * The commits that came after `covered`, in fold order; null when something before them differs (a content was read again), so that they
 * cannot be added to what there is. Only segments that differ are read. Errors: KashiError store_corrupt naming a segment.
 */
export async function freshCommits(
  store: ObjectStore,
  covered: readonly SegmentRef[],
  segments: readonly SegmentRef[],
): Promise<FoldedCommit[] | null> {
  const fresh: FoldedCommit[] = [];
  const live = async (ref: SegmentRef): Promise<FoldedCommit[]> => [...liveEntries(ref, await readSegment(store, ref))];
  for (const [place, ref] of covered.entries()) {
    const now = segments[place];
    if (now !== undefined && sameSegment(ref, now)) continue;
    // Only the last segment is ever written again, when it was not full: with the same commits at its beginning.
    if (now === undefined || place !== covered.length - 1) return null;
    const [before, after] = [await live(ref), await live(now)];
    if (before.some(({ cid, generation }, at) => after[at]?.cid !== cid || after[at]?.generation !== generation)) return null;
    fresh.push(...after.slice(before.length));
  }
  for (const ref of segments.slice(covered.length)) fresh.push(...(await live(ref)));
  return fresh;
}

function sameSegment(one: SegmentRef, other: SegmentRef): boolean {
  return one.sha256 === other.sha256 && one.dropped.join() === other.dropped.join();
}
