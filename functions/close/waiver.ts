/** A named person accepts, with a reason, that something stays as it is. Signed, one a subject, printed on the bill. */
import { PREFIX } from '../contract.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { putAnyhow } from '../ledger/patient.ts';
import { openRecord, signRecord } from '../ledger/signed.ts';
import type { ObjectStore, Signer } from '../ports.ts';
import { waiverKey } from './keys.ts';

export interface Waiver {
  readonly format: 'kashi.waiver/1';
  readonly period: string;
  /** As the close names it: `held:<name>`, `unrated:<line id>`, `control:<source>/<site>/<from>`, … */
  readonly subject: string;
  readonly reason: string;
  readonly waived_by: string;
  readonly waived_at_ms: number;
}

export interface StoredWaiver extends Waiver {
  readonly key: string;
  /** SHA-256 of the signed record. */
  readonly sha256: string;
  readonly key_id: string;
}

/** Signs and stores a waiver. The first for a subject stands. Errors: KashiError usage without a reason or a person. */
export async function waive(store: ObjectStore, signer: Signer, waiver: Omit<Waiver, 'format'>): Promise<'created' | 'exists'> {
  for (const [name, text] of [
    ['--reason', waiver.reason],
    ['--by', waiver.waived_by],
  ] as const) {
    if (text.trim().length === 0)
      throw new KashiError('usage', 'a waiver says why, and who takes it on', { where: name, found: 'nothing' });
  }
  const key = waiverKey(waiver.period, sha256Hex(waiver.subject));
  return await putAnyhow(store, key, await signRecord(signer, { format: 'kashi.waiver/1', ...waiver }));
}

/** The waivers of a month by subject. Errors: KashiError store_corrupt for one that was changed or signed by another key. */
export async function readWaivers(store: ObjectStore, period: string, trusted: string | null): Promise<Map<string, StoredWaiver>> {
  const waivers = new Map<string, StoredWaiver>();
  for await (const { key } of store.list(`${PREFIX.waivers}${period}/`)) {
    const waiver = await readWaiver(store, key, trusted);
    if (waiver.period === period) waivers.set(waiver.subject, waiver);
  }
  return waivers;
}

/** Errors: KashiError store_corrupt when it is missing, changed, or signed by another key. */
export async function readWaiver(store: ObjectStore, key: string, trusted: string | null): Promise<StoredWaiver> {
  const bytes = await store.get(key);
  if (bytes === null) throw new KashiError('store_corrupt', 'a waiver is missing', { where: key });
  const { value, sha256, keyId } = openRecord<Waiver>(bytes, key, trusted);
  if (waiverKey(value.period, sha256Hex(value.subject)) !== key)
    throw new KashiError('store_corrupt', 'a waiver lies where another belongs', { where: key, found: value.subject });
  return { ...value, key, sha256, key_id: keyId };
}
