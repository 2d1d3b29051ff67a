/** Events are hints, the listing is the truth: which landed objects have not been committed yet? */
import type { ObjectStore } from '../ports.ts';
import { type LandedName, seenKey, seenPrefix, utcDay } from './keys.ts';
import { patientReads } from './patient.ts';

/**
 * Those landed objects that have no `_seen` hint, in their own order. No object is opened: names are compared by hash.
 * Each landed day's hints are listed once; an object noted since then is given too, and ingesting it again finds its commit.
 * Memory: the hints of the days that `landed` covers, about 100 bytes each.
 */
export async function* reconcile<Landed extends LandedName>(store: ObjectStore, landed: AsyncIterable<Landed>): AsyncGenerator<Landed> {
  const patient = patientReads(store);
  const seenByDay = new Map<string, ReadonlySet<string>>();
  for await (const object of landed) {
    const day = utcDay(object.lastModifiedMs);
    let seen = seenByDay.get(day);
    if (seen === undefined) {
      seen = await seenOn(patient, day);
      seenByDay.set(day, seen);
    }
    if (!seen.has(seenKey(object))) yield object;
  }
}

async function seenOn(store: ObjectStore, day: string): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for await (const { key } of store.list(seenPrefix(day))) keys.add(key);
  return keys;
}
