/**
 * Which landed files are ready to be read? Decided from listings alone, one after the other; no file is opened for a file that stays as it is.
 *
 * A file is ready when its size and last-modified instant were the same for `settleMs` by this clock (the file server's clock does not count).
 * One that is written to without such a pause is ready every `overdueMs`, as far as its whole lines go.
 * A file that is read again and again because it grows is given time in proportion to its size, so that it cannot eat up the machine.
 */
import type { LandedFile, LandedObject } from '../ports.ts';
import { afterFailure, mayTry, type Retry } from './retry.ts';

export interface ViewOptions {
  readonly settleMs: number;
  readonly overdueMs: number;
}

/** An object that fails, as `kashi status` shows it. */
export interface Failing extends Retry {
  readonly name: string;
  /** Of the file that failed: one that was written since is tried at once. */
  readonly last_modified_ms: number;
}

interface Entry {
  bytes: number;
  lastModifiedMs: number;
  /** When a listing first showed these two numbers. */
  changedAtMs: number;
  /** Since when there is something unread. */
  waitingSinceMs: number;
  done: boolean;
  readAtMs: number | null;
}

/** Bytes per ms of a growing file that is read again: a tenth or so of what two cores ingest. */
const READ_AGAIN_BYTES_PER_MS = 4_000;

export class LandingView {
  private entries = new Map<string, Entry>();
  private readonly retries: Map<string, Failing>;
  private readonly options: ViewOptions;

  constructor(options: ViewOptions, failing: readonly Failing[] = []) {
    this.options = options;
    this.retries = new Map(failing.map((one) => [one.name, one]));
  }

  /** Takes a listing; gives what is ready, in its order, and how many files wait. `isDone`: what is known of files that this view has not seen. */
  look(
    listing: readonly LandedFile[],
    nowMs: number,
    isDone: (file: LandedFile) => boolean = () => false,
  ): { ready: LandedObject[]; waiting: number } {
    const entries = new Map<string, Entry>();
    const ready: LandedObject[] = [];
    let waiting = 0;
    for (const file of listing) {
      const entry = this.entryOf(file, nowMs, isDone);
      entries.set(file.name, entry);
      if (entry.done) continue;
      const object = this.readyObject(file, entry, nowMs);
      if (object === null) waiting++;
      else ready.push(object);
    }
    this.entries = entries;
    for (const name of this.retries.keys()) if (!entries.has(name)) this.retries.delete(name);
    return { ready, waiting };
  }

  /** The object was read: nothing is left of a whole file, and the rest of a growing one waits. */
  read({ name, bytes, lastModifiedMs, growing }: LandedObject, nowMs: number): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    this.retries.delete(name);
    entry.readAtMs = nowMs;
    entry.waitingSinceMs = nowMs;
    entry.done = growing !== true && entry.bytes === bytes && entry.lastModifiedMs === lastModifiedMs;
  }

  /** The object is to be looked at afresh: it changed while it was read, or has gone. */
  changed({ name }: Pick<LandedObject, 'name'>, nowMs: number): void {
    const entry = this.entries.get(name);
    if (entry !== undefined) entry.changedAtMs = nowMs;
  }

  failed({ name, lastModifiedMs }: Pick<LandedObject, 'name' | 'lastModifiedMs'>, error: string, nowMs: number): void {
    const retry = afterFailure(this.retries.get(name) ?? null, error, nowMs);
    this.retries.set(name, { name, last_modified_ms: lastModifiedMs, ...retry });
  }

  /** Files of these names are to be read again, although nothing about them has changed. */
  offer(names: Iterable<string>): void {
    for (const name of names) {
      const entry = this.entries.get(name);
      if (entry !== undefined) entry.done = false;
    }
  }

  /** What failed may be tried again at once: something that it depends on has changed. */
  retryAll(): void {
    this.retries.clear();
  }

  failing(): Failing[] {
    return [...this.retries.values()];
  }

  private entryOf(file: LandedFile, nowMs: number, isDone: (file: LandedFile) => boolean): Entry {
    const { name, bytes, lastModifiedMs } = file;
    const entry = this.entries.get(name);
    if (entry === undefined) {
      const done = isDone(file);
      // A process that left a failure behind may have committed the file all the same; or it was written since.
      if (done || this.retries.get(name)?.last_modified_ms !== lastModifiedMs) this.retries.delete(name);
      return { bytes, lastModifiedMs, changedAtMs: nowMs, waitingSinceMs: nowMs, done, readAtMs: null };
    }
    if (entry.bytes !== bytes || entry.lastModifiedMs !== lastModifiedMs) {
      if (entry.done) entry.waitingSinceMs = nowMs;
      Object.assign(entry, { bytes, lastModifiedMs, changedAtMs: nowMs, done: false });
      this.retries.delete(name);
    }
    // A clock that was set back begins the wait anew, or it would last for hours.
    entry.changedAtMs = Math.min(entry.changedAtMs, nowMs);
    entry.waitingSinceMs = Math.min(entry.waitingSinceMs, nowMs);
    return entry;
  }

  private readyObject(file: LandedFile, entry: Entry, nowMs: number): LandedObject | null {
    const { settleMs, overdueMs } = this.options;
    if (!mayTry(this.retries.get(file.name) ?? null, nowMs)) return null;
    if (entry.readAtMs !== null && nowMs - entry.readAtMs < file.bytes / READ_AGAIN_BYTES_PER_MS) return null;
    if (nowMs - entry.changedAtMs >= settleMs) return file;
    return nowMs - entry.waitingSinceMs >= overdueMs ? file.wholeLines() : null;
  }
}
