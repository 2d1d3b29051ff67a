/**
 * Sees every write at the instant of its effect and holds it to the invariants of RELIABILITY 2.3 that one write can break. It reads the
 * store with the record formats alone, not with the functions that are under test.
 */

import type { Pin } from '../../functions/close/pin.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import type { CommitFile, CommitRecord, SeenHint } from '../../functions/ledger/commit.ts';
import type { Compaction } from '../../functions/ledger/compaction.ts';
import { commitPrefix, parseCommitKey, parseSnapshotKey, segmentKey, snapshotKey } from '../../functions/ledger/keys.ts';
import { unseal } from '../../functions/ledger/sealed.ts';
import type { FoldedCommit, SnapshotBody } from '../../functions/ledger/snapshot.ts';
import { MOST_SKEW_MS } from './weather.ts';
import type { World } from './world.ts';

export class Violation extends Error {}

/** What a snapshot says, read from its bytes. */
export interface SeenSnapshot {
  readonly n: number;
  readonly sha256: string;
  readonly body: SnapshotBody;
  readonly entries: ReadonlyMap<string, FoldedCommit>;
  /** Keys of the files that its readers open. */
  readonly files: ReadonlySet<string>;
  readonly atMs: number;
}

const HOUR_MS = 3_600_000;
/** A snapshot is readable for seven days after it was the newest, less what clocks may differ and an hour for late effects. */
const WINDOW_MS = 7 * 24 * HOUR_MS - MOST_SKEW_MS - HOUR_MS;
/** Written once: a second writing with other bytes is a rewritten history. */
const WRITTEN_ONCE = /^(_commits|_snap|_segments|closes|bills|objects|orders|config|data|_quarantine)\//;

export class Witness {
  readonly snapshots: SeenSnapshot[] = [];
  readonly commits = new Map<string, CommitRecord>();
  private readonly pins: Pin['snapshot'][] = [];
  private readonly segments = new Map<string, readonly FoldedCommit[]>();
  private readonly hashes = new Map<string, string>();
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  get newest(): SeenSnapshot | null {
    return this.snapshots.at(-1) ?? null;
  }

  created(key: string, bytes: Uint8Array): void {
    if (WRITTEN_ONCE.test(key)) this.writtenOnce(key, bytes);
    if (key.startsWith('_commits/')) this.committed(key, bytes);
    else if (key.startsWith('_seen/')) this.noted(key, bytes);
    else if (key.startsWith('_snap/')) this.folded(key, bytes);
    else if (key.startsWith('closes/')) this.pinned(key, bytes);
    else if (key.startsWith('bills/')) this.world.counters[key.endsWith('/000.json') ? 'bills' : 'corrections'] += 1;
  }

  /** I10: no file that a retained or pinned snapshot or an unfolded commit names is ever deleted. */
  deleted(key: string): void {
    const { world } = this;
    world.counters.deleted += 1;
    for (const [place, { n, files }] of this.snapshots.entries()) {
      const replacedMs = this.snapshots[place + 1]?.atMs ?? Number.POSITIVE_INFINITY;
      const isRetained = replacedMs > world.now() - WINDOW_MS || this.pins.some((pin) => pin.n === n);
      if (isRetained && files.has(key)) world.fail(`I10: ${key} was deleted, and snapshot ${n} needs it`);
    }
    for (const { cid, generation, files } of this.commits.values()) {
      const isFolded = (this.newest?.entries.get(cid)?.generation ?? -1) >= generation;
      if (!isFolded && files.some((file) => file.key === key))
        world.fail(`I10: ${key} was deleted, and commit ${cid}.g${generation} is not folded`);
    }
  }

  /** The commits of a snapshot, from its bytes. */
  private entriesOf({ segments }: SnapshotBody): FoldedCommit[] {
    return segments.flatMap(({ sha256, dropped }) => {
      const gone = new Set(dropped);
      return this.segment(sha256).filter((_, place) => !gone.has(place));
    });
  }

  private segment(sha256: string): readonly FoldedCommit[] {
    let entries = this.segments.get(sha256);
    if (entries === undefined) {
      const bytes = this.world.disk.get(segmentKey(sha256));
      if (bytes === null) throw new Violation(`I8: segment ${sha256} is named and missing`);
      entries = (JSON.parse(new TextDecoder().decode(bytes)) as { entries: FoldedCommit[] }).entries;
      this.segments.set(sha256, entries);
    }
    return entries;
  }

  private writtenOnce(key: string, bytes: Uint8Array): void {
    const sha256 = sha256Hex(bytes);
    const first = this.hashes.get(key);
    if (first !== undefined && first !== sha256) this.world.fail(`${key} was written again with other bytes`);
    this.hashes.set(key, sha256);
  }

  /** I3, I5: what a commit names is stored before it, whole. */
  private committed(key: string, bytes: Uint8Array): void {
    const { world } = this;
    const record = unseal(bytes, key) as CommitRecord;
    world.counters.commits += 1;
    this.commits.set(key, record);
    for (const file of record.files) this.checkFile(file, `commit ${key}`);
    const { physical, valid, quarantined, blank } = record.lines;
    if (record.kind === 'data' && physical !== valid + quarantined + blank) world.fail(`I3: the lines of ${key} do not add up`);
    const { cid, generation } = parseCommitKey(key);
    if (record.cid !== cid || record.generation !== generation)
      world.fail(`I5: ${key} is the record of ${record.cid}.g${record.generation}`);
  }

  private checkFile({ key, bytes, sha256 }: Pick<CommitFile, 'key' | 'bytes' | 'sha256'>, by: string): void {
    const stored = this.world.disk.get(key);
    if (stored === null) this.world.fail(`I5: ${by} names ${key}, which is not there`);
    else if (stored.length !== bytes || sha256Hex(stored) !== sha256) this.world.fail(`I5: ${by} names ${key}, which has other bytes`);
  }

  /** I6: seen implies committed. */
  private noted(key: string, bytes: Uint8Array): void {
    const { cid } = unseal(bytes, key) as SeenHint;
    if (this.world.disk.page(commitPrefix(cid), undefined, 1).length === 0)
      this.world.fail(`I6: ${key} is noted, and ${cid} was never committed`);
  }

  /** I7: the history is linear, hash-linked, and only grows; each content counts in one generation (I11). I9: compaction moves rows only. */
  private folded(key: string, bytes: Uint8Array): void {
    const { world } = this;
    const n = parseSnapshotKey(key);
    const body = unseal(bytes, key) as SnapshotBody;
    const before = this.newest;
    if (n !== (before?.n ?? 0) + 1 || body.parent !== (before?.sha256 ?? null)) {
      world.fail(`I7: snapshot ${n} does not follow ${before?.n ?? 'nothing'} by hash`);
      return;
    }
    const entries = new Map<string, FoldedCommit>();
    for (const entry of this.entriesOf(body)) {
      if (entries.has(entry.cid)) world.fail(`I11: snapshot ${n} holds ${entry.cid} twice`);
      entries.set(entry.cid, entry);
      const old = before?.entries.get(entry.cid);
      const isOld = old?.generation === entry.generation;
      if (entry.fold_seq !== (isOld ? old.fold_seq : n)) world.fail(`I7: snapshot ${n} folds ${entry.cid} as number ${entry.fold_seq}`);
    }
    for (const [cid, { generation }] of before?.entries ?? [])
      if ((entries.get(cid)?.generation ?? -1) < generation) world.fail(`I7: snapshot ${n} lost ${cid}.g${generation}`);
    const files = this.filesOf(body, entries);
    for (const file of files.values()) if (before?.files.has(file.key) !== true) this.checkFile(file, `snapshot ${n}`);
    if ((body.compacted?.length ?? 0) > (before?.body.compacted?.length ?? 0)) world.counters.compactions += 1;
    world.counters.snapshots += 1;
    this.snapshots.push({ n, sha256: sha256Hex(bytes), body, entries, files: new Set(files.keys()), atMs: world.now() });
  }

  private filesOf(
    body: SnapshotBody,
    entries: ReadonlyMap<string, FoldedCommit>,
  ): Map<string, Pick<CommitFile, 'key' | 'bytes' | 'sha256'>> {
    const places = new Map<string, CommitFile>();
    for (const { sha256 } of body.compacted ?? []) {
      const bytes = this.world.disk.get(segmentKey(sha256));
      if (bytes === null) throw new Violation(`I8: compaction ${sha256} is named and missing`);
      const { file, inputs } = JSON.parse(new TextDecoder().decode(bytes)) as Compaction;
      for (const key of inputs) {
        if (places.has(key)) this.world.fail(`I9: the rows of ${key} lie in ${file.key} and in ${places.get(key)!.key}`);
        places.set(key, file);
      }
    }
    const files = [...entries.values()].flatMap((entry) => entry.files.map((file) => places.get(file.key) ?? file));
    return new Map(files.map((file) => [file.key, file]));
  }

  private pinned(key: string, bytes: Uint8Array): void {
    const { snapshot } = unseal(bytes, key) as Pin;
    const stored = this.world.disk.get(snapshotKey(snapshot.n));
    if (stored === null || sha256Hex(stored) !== snapshot.sha256)
      this.world.fail(`${key} pins snapshot ${snapshot.n}, which has other bytes`);
    this.pins.push(snapshot);
    const seen = this.snapshots[snapshot.n - 1];
    for (const file of seen?.files ?? [])
      if (this.world.disk.get(file) === null) this.world.fail(`I10: ${key} pins snapshot ${snapshot.n}, whose ${file} is gone`);
  }
}
