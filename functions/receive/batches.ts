/**
 * Many small requests → few objects. A request is one line of an object that requests of some seconds share. It is accepted when its line
 * is on the disk; the object appears in the landing place when it is full or old. A receiver that was killed leaves its file in the spool,
 * and whichever receiver runs next hands it over, so nothing that was accepted is lost. Handing over twice changes nothing: the object's
 * name is the spool file's.
 */
import type { Clock, ObjectStore, Spool, SpoolFile } from '../ports.ts';
import { landedKey } from './landed-key.ts';
import type { ReceiveLimits } from './limits.ts';

export interface BatchDependencies {
  readonly spool: Spool;
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly limits: ReceiveLimits;
  /** Told of a hand-over that failed and will be tried again. */
  readonly onFault: (fault: unknown) => void;
}

interface Batch {
  readonly key: string;
  readonly openedAtMs: number;
  readonly file: Promise<SpoolFile>;
  /** Appends that are under way: the object is finished after them. */
  readonly pending: Set<Promise<void>>;
  bytes: number;
}

export class LineBatches {
  private readonly open = new Map<string, Batch>();
  private readonly handing = new Set<Promise<void>>();
  private readonly dependencies: BatchDependencies;

  constructor(dependencies: BatchDependencies) {
    this.dependencies = dependencies;
  }

  /** Appends one line (without its end) to the folder's object. Fulfilled when it survives the death of the process. Errors: those of the disk. */
  async append(folder: string, line: Uint8Array): Promise<void> {
    const batch = this.batchOf(folder);
    const appended = batch.file.then((file) => file.append(Buffer.concat([line, LINE_END])));
    batch.pending.add(appended);
    batch.bytes += line.length + 1;
    if (batch.bytes >= this.dependencies.limits.batchBytes) this.retire(folder, batch);
    try {
      await appended;
    } catch (error) {
      // What the file holds so far was accepted; it goes on without this line, and the next request begins a new file.
      this.retire(folder, batch);
      throw error;
    } finally {
      batch.pending.delete(appended);
    }
  }

  /** Hands over what is old, and what receivers that were killed left behind. To be called every second or so. */
  async tick(): Promise<void> {
    const { clock, limits, onFault } = this.dependencies;
    for (const [folder, batch] of this.open) if (clock.now() - batch.openedAtMs >= limits.batchMs) this.retire(folder, batch);
    await Promise.all(this.handing);
    try {
      await this.adopt(clock.now() - limits.abandonedMs);
    } catch (error) {
      onFault(error);
    }
  }

  /** Hands over everything. */
  async close(): Promise<void> {
    for (const [folder, batch] of this.open) this.retire(folder, batch);
    await Promise.all(this.handing);
  }

  private batchOf(folder: string): Batch {
    const standing = this.open.get(folder);
    if (standing !== undefined) return standing;
    const { spool, clock, newId } = this.dependencies;
    const openedAtMs = clock.now();
    const key = landedKey(folder, openedAtMs, newId(), 'jsonl');
    const batch: Batch = { key, openedAtMs, file: spool.create(spoolName(key)), pending: new Set(), bytes: 0 };
    this.open.set(folder, batch);
    return batch;
  }

  /** Takes a batch out of use and hands it over when its last append is done. */
  private retire(folder: string, batch: Batch): void {
    if (this.open.get(folder) !== batch) return;
    this.open.delete(folder);
    const handing = this.handOver(batch)
      .catch(this.dependencies.onFault)
      .finally(() => this.handing.delete(handing));
    this.handing.add(handing);
  }

  private async handOver(batch: Batch): Promise<void> {
    await Promise.allSettled(batch.pending);
    const finished = await (await batch.file).finish();
    await this.land(spoolName(batch.key), batch.key, finished);
  }

  private async adopt(beforeMs: number): Promise<void> {
    const own = new Set([...this.open.values()].map(({ key }) => spoolName(key)));
    for (const { name, file, bytes } of await this.dependencies.spool.abandoned(beforeMs)) {
      if (!own.has(name)) await this.land(name, keyOf(name), { file, bytes });
    }
  }

  private async land(name: string, key: string, { file, bytes }: { file: string; bytes: number }): Promise<void> {
    const { store, spool } = this.dependencies;
    // 'exists': handed over before, and the process died before it could tidy up.
    if (bytes > 0) await store.putIfAbsent(key, { file });
    await spool.remove(name);
  }
}

const LINE_END = new Uint8Array([0x0a]);

/** A key as one file name, and back. */
function spoolName(key: string): string {
  return key.replaceAll('/', '~');
}

function keyOf(name: string): string {
  return name.replaceAll('~', '/');
}
