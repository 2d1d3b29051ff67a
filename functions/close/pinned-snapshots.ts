/** Which snapshots must stay readable for ever: those that closed months, and months being closed, are made from. */
import { PREFIX } from '../contract.ts';
import { corrupt } from '../ledger/sealed.ts';
import type { ObjectStore } from '../ports.ts';
import { readEvidence } from './evidence.ts';
import { parsePinKey } from './keys.ts';
import { type Pin, readPin } from './pin.ts';
import { closedMonths, readSignedBill } from './statement.ts';

/**
 * Of every pin, and of every bill as its signed evidence names it: a bill keeps its files though its pin was lost. Errors: KashiError store_corrupt
 * for anything that cannot be read, because a snapshot that is not named here may lose its files.
 */
export async function pinnedSnapshots(store: ObjectStore): Promise<Pin['snapshot'][]> {
  const pinned: Pin['snapshot'][] = [];
  for await (const { key } of store.list(PREFIX.closes)) {
    const stored = await readPin(store, parsePinKey(key));
    if (stored === null) throw corrupt(key, 'no object');
    pinned.push(stored.pin.snapshot);
  }
  for (const period of await closedMonths(store)) {
    const signed = await readSignedBill(store, period, null);
    if (signed === null) throw corrupt(`bill of ${period}`, 'no object');
    const { pin } = await readEvidence(store, signed.value.evidence);
    pinned.push(pin.pin.snapshot);
  }
  return pinned;
}
