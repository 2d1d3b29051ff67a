/** Which landed objects are not in yet, although their events should have brought them? */
import { reconcile } from '../ledger/reconcile.ts';
import type { LandedObject, ObjectStore } from '../ports.ts';

export interface Missing {
  /** To be announced again. */
  readonly names: readonly string[];
  /** Landed and not in, those included whose event may still be on its way. */
  readonly all: number;
  readonly oldestSeconds: number;
}

/** Errors: those of the store. `graceMs`: an object that landed less long ago is left to its event. */
export async function missingObjects(
  store: ObjectStore,
  landed: AsyncIterable<Pick<LandedObject, 'name' | 'bytes' | 'lastModifiedMs'>>,
  nowMs: number,
  graceMs: number,
): Promise<Missing> {
  const names: string[] = [];
  let all = 0;
  let oldestMs = 0;
  for await (const { name, lastModifiedMs } of reconcile(store, landed)) {
    const ageMs = nowMs - lastModifiedMs;
    all += 1;
    oldestMs = Math.max(oldestMs, ageMs);
    if (ageMs >= graceMs) names.push(name);
  }
  return { names, all, oldestSeconds: Math.floor(oldestMs / 1000) };
}
