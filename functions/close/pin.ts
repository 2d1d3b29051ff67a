/** The pin: everything a bill is made from, by number and hash. Made once a month, never changed; the first one stands. */
import { sha256Hex } from '../domain/canonical-json.ts';
import { putAnyhow } from '../ledger/patient.ts';
import { corrupt, seal, unseal } from '../ledger/sealed.ts';
import type { ObjectStore } from '../ports.ts';
import { pinKey } from './keys.ts';

/** By what an earlier month is rated again. */
export interface PinnedCorrection {
  readonly period: string;
  /** The rules in force so far: those of its close, or of the last order that a close has carried out. */
  readonly rates: string;
  readonly sql: string;
  /** Number of the last order that a close has carried out; 0 for none. */
  readonly orders_done: number;
  /** An order that no close has carried out yet. */
  readonly order: {
    readonly number: number;
    readonly sha256: string;
    readonly cause: string;
    readonly rates: string;
    readonly sql: string;
  } | null;
}

/** What was found outside the warehouse when the month was pinned; it cannot be looked at again later. */
export interface GateFacts {
  /** Landed objects that were listed, and that each had a commit. */
  readonly landed_objects: number;
  readonly landed_bytes: number;
}

export interface Pin {
  readonly format: 'kashi.pin/1';
  readonly period: string;
  readonly pinned_at_ms: number;
  readonly snapshot: { readonly n: number; readonly sha256: string };
  readonly rates: string;
  readonly sql: string;
  /** Rows of ref_promise, stored under config/promises. */
  readonly promises: string;
  readonly conflicts_allowed: number;
  /** The reviewed files behind the rates: kind, name, hash of their bytes. */
  readonly documents: readonly { readonly kind: string; readonly name: string; readonly sha256: string }[];
  readonly engine: { readonly name: string; readonly version: string };
  readonly parser_version: number;
  /** The bill before: its month and the hash of its record. Its snapshot is where corrections start. */
  readonly previous: { readonly period: string; readonly sha256: string } | null;
  readonly corrections: readonly PinnedCorrection[];
  /** Waivers that were needed, by key and hash of the signed record. */
  readonly waivers: readonly { readonly key: string; readonly sha256: string }[];
  readonly gate: GateFacts;
}

export interface StoredPin {
  readonly pin: Pin;
  /** SHA-256 of the stored bytes. */
  readonly sha256: string;
}

/** The pin of a month, or null. Errors: KashiError store_corrupt. */
export async function readPin(store: ObjectStore, period: string): Promise<StoredPin | null> {
  const key = pinKey(period);
  const bytes = await store.get(key);
  if (bytes === null) return null;
  const pin = unseal(bytes, key) as Pin;
  if (pin.period !== period) throw corrupt(key, `the pin of ${pin.period}`);
  return { pin, sha256: sha256Hex(bytes) };
}

/** Stores the pin unless one stands, and returns the one that stands. */
export async function putPin(store: ObjectStore, pin: Pin): Promise<StoredPin> {
  await putAnyhow(store, pinKey(pin.period), seal(pin));
  const stands = await readPin(store, pin.period);
  if (stands === null) throw corrupt(pinKey(pin.period), 'no object after it was written');
  return stands;
}

/** What the pin says about the gate. */
export function gateSettings({ conflicts_allowed, previous }: Pin): { conflictsAllowed: number; isFirst: boolean } {
  return { conflictsAllowed: conflicts_allowed, isFirst: previous === null };
}

/** True when two pins lead to the same bill: they may differ in when they were made and in what was waived. */
export function sameInputs(left: Pin, right: Pin): boolean {
  const inputs = ({ pinned_at_ms: _at, gate: _gate, waivers: _waivers, ...rest }: Pin): string => sha256Hex(seal(rest));
  return inputs(left) === inputs(right);
}
