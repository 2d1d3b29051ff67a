/** What is stored of a rollup: a head for each snapshot it was made for, which names the files of its layers. All of it may be deleted at any time. */
import { PREFIX } from '../contract.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import { putAnyhow } from '../ledger/patient.ts';
import { seal, unseal } from '../ledger/sealed.ts';
import type { SegmentRef } from '../ledger/segment.ts';
import type { Snapshot } from '../ledger/snapshot.ts';
import type { ObjectInfo, ObjectStore } from '../ports.ts';

/** A stored Parquet file of a layer. */
export interface Part {
  readonly key: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** A part of a rollup: which files it has, by the name of what is in them. */
export interface Layer {
  readonly parts: Readonly<Record<string, Part>>;
}

/** `extra`: what else is kept with it. */
export interface RollupHead<L extends Layer, Extra = unknown> {
  readonly extra: Extra;
  /** Segments of the snapshot whose commits are in it: they say later what is new. */
  readonly segments: readonly SegmentRef[];
  readonly layers: readonly L[];
}

export type RollupKind = 'tokens' | 'samples' | 'hours';

const DIGITS = 10;

function headPrefix(kind: RollupKind, digest: string): string {
  return `${PREFIX.rollups}${kind}/${digest}/`;
}

/**
 * Heads that may be of use for a snapshot, the newest first: made by the same rules (`digest`), for it or for an earlier one.
 * One that cannot be read is deleted, so that its place is free again, and passed over.
 */
export async function* headsFor<L extends Layer, Extra = unknown>(
  store: ObjectStore,
  kind: RollupKind,
  digest: string,
  snapshot: Pick<Snapshot, 'n'>,
): AsyncGenerator<{ readonly n: number; readonly head: RollupHead<L, Extra> }> {
  const prefix = headPrefix(kind, digest);
  const keys: { key: string; n: number }[] = [];
  for await (const { key } of store.list(prefix)) keys.push({ key, n: Number(key.slice(prefix.length, prefix.length + DIGITS)) });
  for (const { key, n } of keys.reverse()) {
    if (n > snapshot.n) continue;
    const bytes = await store.get(key);
    if (bytes === null) continue;
    try {
      yield { n, head: unseal(bytes, key) as RollupHead<L, Extra> };
    } catch {
      await store.delete(key);
    }
  }
}

/** Errors: TransientStoreError. A head that stands already is as good as this one. What it supersedes is deleted. */
export async function writeHead(
  store: ObjectStore,
  kind: RollupKind,
  digest: string,
  { n, segments }: Pick<Snapshot, 'n' | 'segments'>,
  layers: readonly Layer[],
  extra: unknown = null,
): Promise<void> {
  const head: RollupHead<Layer> = { segments, layers, extra };
  await putAnyhow(store, `${headPrefix(kind, digest)}${String(n).padStart(DIGITS, '0')}.json`, seal(head));
  await dropSuperseded(store, headPrefix(kind, digest));
}

/** A bill that began with an older head has read what it names by then. Units: ms. */
const SUPERSEDED_MS = 3_600_000;

/** Deletes the heads of one rollup that are older than an hour, but for the newest two, and the parts that only they name. */
async function dropSuperseded(store: ObjectStore, prefix: string): Promise<void> {
  const heads: ObjectInfo[] = [];
  for await (const info of store.list(prefix)) heads.push(info);
  const nowMs = Math.max(...heads.map(({ lastModifiedMs }) => lastModifiedMs));
  const old = heads.slice(0, -2).filter(({ lastModifiedMs }) => nowMs - lastModifiedMs > SUPERSEDED_MS);
  if (old.length === 0) return;
  const names = async (infos: readonly ObjectInfo[]): Promise<string[]> => {
    const parts: string[] = [];
    for (const { key } of infos) parts.push(...(await partsOf(store, key)));
    return parts;
  };
  const needed = new Set(await names(heads.filter((info) => !old.includes(info))));
  const parts = await names(old);
  for (const { key } of old) await store.delete(key);
  for (const key of new Set(parts)) if (!needed.has(key)) await store.delete(key);
}

/** Keys of the parts that a head names; none when it cannot be read. */
async function partsOf(store: ObjectStore, key: string): Promise<string[]> {
  try {
    const { layers } = unseal((await store.get(key)) ?? new Uint8Array(), key) as RollupHead<Layer>;
    return layers.flatMap(({ parts }) => Object.values(parts).map((part) => part.key));
  } catch {
    return [];
  }
}

/** Keys of the parts that heads written since then name: the others are garbage, and so are heads that nobody wrote for so long. */
export async function partsInUse(store: ObjectStore, sinceMs: number): Promise<string[]> {
  const keys: string[] = [];
  for (const kind of ['tokens', 'samples', 'hours'] satisfies RollupKind[])
    for await (const { key, lastModifiedMs } of store.list(`${PREFIX.rollups}${kind}/`))
      if (lastModifiedMs >= sinceMs) keys.push(...(await partsOf(store, key)));
  return keys;
}

/** Stores a local Parquet file under a name that no other attempt has. */
export async function writePart(store: ObjectStore, newName: () => string, file: string): Promise<Part> {
  const key = `${PREFIX.rollups}parts/${newName()}.parquet`;
  await putAnyhow(store, key, { file });
  const bytes = await store.get(key);
  if (bytes === null) throw new Error(`${key} has disappeared`);
  return { key, sha256: sha256Hex(bytes), bytes: bytes.length };
}

/** True when every file of these layers is there with its bytes; one with other bytes is deleted. `names`: only these parts. */
export async function isWhole(store: ObjectStore, layers: readonly Layer[], names: readonly string[]): Promise<boolean> {
  for (const { parts } of layers)
    for (const name of names) {
      const part = parts[name];
      if (part === undefined) continue;
      const bytes = await store.get(part.key);
      if (bytes === null) return false;
      if (sha256Hex(bytes) === part.sha256) continue;
      await store.delete(part.key);
      return false;
    }
  return true;
}
