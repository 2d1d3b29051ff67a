/** Where each kind of object lies in the store. Every key is made here, and read back here. */
import { PREFIX } from '../contract.ts';
import type { DatasetName } from '../datasets.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import { assert, KashiError } from '../domain/errors.ts';
import type { LandedObject } from '../ports.ts';

/** What names one state of one landed object: a file written anew has another last-modified instant. */
export type LandedName = Pick<LandedObject, 'name' | 'bytes' | 'lastModifiedMs'>;

/** Digits of a snapshot number in its key, so that keys sort as numbers do. */
const SNAPSHOT_DIGITS = 10;
const CID = /^[0-9a-f]{64}$/;
/** Hexadecimal digits of the content id that rows carry, and that begin a data file's name; the attempt behind them keeps names apart. */
const CID_NAME_DIGITS = 16;
const COMMIT_KEY = /^_commits\/([0-9a-f]{2})\/(([0-9a-f]{2})[0-9a-f]{62})\.g(0|[1-9][0-9]{0,8})\.json$/;

export function isCid(text: string): boolean {
  return CID.test(text);
}

/** `_commits/<first 2 digits>/<cid>.g<generation>.json`. Example: cid ab…, generation 0 → `_commits/ab/ab….g0.json` */
export function commitKey(cid: string, generation: number): string {
  assert(Number.isSafeInteger(generation) && generation >= 0, `generation ${generation} is not a count`);
  return `${commitPrefix(cid)}${generation}.json`;
}

/** The beginning of the keys of every generation of one content. */
export function commitPrefix(cid: string): string {
  assert(isCid(cid), `not a content id: ${cid}`);
  return `${PREFIX.commits}${cid.slice(0, 2)}/${cid}.g`;
}

/** Content and generation of a commit's key. Errors: KashiError store_corrupt for any other key: nothing else belongs there. */
export function parseCommitKey(key: string): { cid: string; generation: number } {
  const found = COMMIT_KEY.exec(key);
  if (found === null || found[1] !== found[3]) {
    throw new KashiError('store_corrupt', 'this is not the key of a commit', {
      where: key,
      allowed: '_commits/<cid2>/<cid>.g<generation>.json',
    });
  }
  return { cid: found[2]!, generation: Number(found[4]) };
}

/** UTC day of an instant, yyyy-mm-dd. Example: `utcDay(0)` → `1970-01-01` */
export function utcDay(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

/** The beginning of the hints of one landed day (yyyy-mm-dd, UTC). */
export function seenPrefix(landedDay: string): string {
  assert(/^\d{4}-\d{2}-\d{2}$/.test(landedDay), `not a day: ${landedDay}`);
  return `${PREFIX.seen}${landedDay}/`;
}

/**
 * `_seen/<landed day>/<sha256 of name|bytes|last modified>.json`: the hint that this landed object is committed.
 * The two numbers end the text, so a '|' inside the name cannot make two objects look alike.
 */
export function seenKey(landed: LandedName): string {
  const { name, bytes, lastModifiedMs } = landed;
  assert(Number.isSafeInteger(bytes) && Number.isSafeInteger(lastModifiedMs), `landed object ${name} has a fractional size or instant`);
  return `${seenPrefix(utcDay(lastModifiedMs))}${sha256Hex(`${name}|${bytes}|${lastModifiedMs}`)}.json`;
}

/** What stands in column object_id of the content's rows. */
export function objectIdOf(cid: string): string {
  return cid.slice(0, CID_NAME_DIGITS);
}

/** `data/<dataset>/p=<yyyy-mm>/compacted-<part>-<attempt>.parquet`: like every data file, unique to the attempt. */
export function compactedKey(file: { dataset: DatasetName; partition: string; part: number; attempt: string }): string {
  return `${PREFIX.data}${file.dataset}/p=${file.partition}/compacted-${file.part}-${file.attempt}.parquet`;
}

/** `data/<dataset>/p=<yyyy-mm>/<16 digits of cid>-<part>-<attempt>.parquet`: unique to the attempt. `part` counts the files of one attempt. */
export function dataKey(file: { dataset: DatasetName; partition: string; cid: string; part: number; attempt: string }): string {
  const { dataset, partition, cid, part, attempt } = file;
  return `${PREFIX.data}${dataset}/p=${partition}/${objectIdOf(cid)}-${part}-${attempt}.parquet`;
}

/** `_quarantine/<landed day>/<cid>.g<generation>-<attempt>.parquet`: like data, unique to the attempt. */
export function quarantineKey(file: { landedDay: string; cid: string; generation: number; attempt: string }): string {
  return `${PREFIX.quarantine}${file.landedDay}/${file.cid}.g${file.generation}-${file.attempt}.parquet`;
}

/** `_segments/<sha256 of its bytes>.json`. */
export function segmentKey(sha256: string): string {
  return `${PREFIX.segments}${sha256}.json`;
}

/** `_snap/<number in 10 digits>.json`, counted from 1. Example: 12 → `_snap/0000000012.json` */
export function snapshotKey(n: number): string {
  assert(Number.isSafeInteger(n) && n >= 0 && n < 10 ** SNAPSHOT_DIGITS, `snapshot number ${n}`);
  return `${PREFIX.snapshots}${String(n).padStart(SNAPSHOT_DIGITS, '0')}.json`;
}

/** The number in a snapshot's key. Errors: KashiError store_corrupt for any other key. */
export function parseSnapshotKey(key: string): number {
  const found = /^_snap\/(\d{10})\.json$/.exec(key);
  if (found === null)
    throw new KashiError('store_corrupt', 'this is not the key of a snapshot', { where: key, allowed: '_snap/<10 digits>.json' });
  return Number(found[1]);
}
