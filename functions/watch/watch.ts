/**
 * The loop: look, ingest what is ready, fold every minute, refresh the provisional bills every hour, tidy up every day. It decides when; the stages do the work.
 * Nothing in here must survive: after a kill at any instant the listing, the commits and the snapshots say what is left to do.
 */
import type { IngestOutcome } from '../ingest/ingest-object.ts';
import { rowCount } from '../ledger/commit-record.ts';
import type { CommitName } from '../ledger/fold.ts';
import type { Clock, LandedFile, LandedObject } from '../ports.ts';
import { type Failing, LandingView } from './landing-view.ts';
import { afterFailure, errorText, isDue, mayTry, type Retry } from './retry.ts';
import { inheritedFailures, type StageName, type WatchState } from './state.ts';

/** What became of one object. `moved`: it changed or vanished while it was read, which is no fault; it is looked at again. */
export type ObjectResult = { readonly outcome: IngestOutcome } | { readonly error: string } | { readonly moved: true };

export interface RefreshedBill {
  readonly period: string;
  readonly currency: string;
  readonly total: string;
  readonly unrated: number;
}

/** Files that were merged into larger ones, files that were deleted, and their bytes. */
export interface Tidied {
  readonly merged: number;
  readonly deleted: number;
  readonly deleted_bytes: number;
}

/** The stages, as functions. Errors of any: that stage waits and tries again, the others go on. */
export interface WatchStages {
  /** Everything that lies there; `unreadable` is told of what cannot be looked at. */
  list(unreadable: (path: string, error: unknown) => void): Promise<readonly LandedFile[]>;
  /** Those that are noted as committed already. */
  seen(listing: readonly LandedFile[]): Promise<ReadonlySet<LandedFile>>;
  /** Reads the configuration. Names of held objects that it reads in another way than when they were held; null when it is as it was. */
  mended(): Promise<readonly string[] | null>;
  /** Ingests in order; `before` and `after` are told of each object. Ends early once `enough()`. */
  ingest(objects: readonly LandedObject[], each: EachObject): Promise<void>;
  /** Folds these commits, or whatever is there (null). The number of the newest snapshot, null when there is none. */
  fold(commits: readonly CommitName[] | null): Promise<number | null>;
  /** Makes the provisional bills of the running month and of every month that changed after snapshot `since`. Null: an empty warehouse. */
  refresh(since: number): Promise<{ readonly snapshot: number; readonly bills: readonly RefreshedBill[] } | null>;
  /** Merges small data files of quiet days, and deletes those that nothing names any more. */
  tidy(): Promise<Tidied>;
}

export interface EachObject {
  enough(): boolean;
  before(object: LandedObject): void;
  after(object: LandedObject, result: ObjectResult): void;
}

export interface WatchWorld {
  readonly clock: Clock;
  /** Resolves after so many ms, or when the signal comes. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** What a former watcher left, and whether it was killed. */
  readonly former: { readonly state: WatchState; readonly died: boolean } | null;
  readonly process: { readonly host: string; readonly pid: number };
  saveState(state: WatchState): void;
  report(cycle: CycleReport): void;
}

export interface WatchOptions {
  /** From one look to the next. */
  readonly cycleMs: number;
  readonly settleMs: number;
  readonly foldMs: number;
  readonly billMs: number;
  /** From one compaction and collection to the next. */
  readonly tidyMs: number;
  /** One pass of everything that is due. */
  readonly once: boolean;
}

/** What one cycle did. */
export interface CycleReport {
  readonly at_ms: number;
  readonly landed: number;
  committed: number;
  known: number;
  held: number;
  /** Growing files of which nothing can be read yet. */
  unfinished: number;
  rows: number;
  /** Landed, and not read: being written, failing, or behind others in a queue. */
  waiting: number;
  /** Made in this cycle. */
  snapshot: number | null;
  bills: readonly RefreshedBill[];
  /** Null when it was not due. */
  tidied: Tidied | null;
  readonly failed: { name: string; error: string }[];
  readonly faults: { stage: StageName; error: string }[];
}

/** A tenth of the time at most is spent on looking, however many files lie there and however slow their disk is. */
const PAUSE_PER_LOOK = 9;

/** A shorter batch would spend its time on opening and closing. */
const LEAST_BATCH_MS = 5_000;

export class Watch {
  private readonly stages: WatchStages;
  private readonly world: WatchWorld;
  private readonly options: WatchOptions;
  private readonly view: LandingView;
  private readonly startedAtMs: number;
  private readonly faults = new Map<StageName, Retry>();
  /** Commits that no snapshot holds yet; null: there may be some that this process did not make. */
  private pending: CommitName[] | null = null;
  private listedAllAtMs: number | null = null;
  private looked = false;
  private waiting = 0;
  private backlog = false;
  private lookMs = 0;
  private inHand: WatchState['in_hand'] = null;
  private unreadable: Failing[] = [];
  private okAtMs: number | null = null;
  private foldState: WatchState['fold'] = null;
  private billState: WatchState['bill'];
  private billedByThis = false;
  private tidyState: { readonly at_ms: number } | null;

  constructor(stages: WatchStages, world: WatchWorld, options: WatchOptions) {
    this.stages = stages;
    this.world = world;
    this.options = options;
    this.startedAtMs = world.clock.now();
    const former = world.former?.state ?? null;
    this.billState = former?.bill ?? null;
    this.foldState = former?.fold ?? null;
    this.tidyState = former?.tidy ?? null;
    this.okAtMs = former?.ok_at_ms ?? null;
    const { settleMs, once } = options;
    // A pass of its own cannot wait for a second pause.
    const overdueMs = once ? settleMs : 2 * settleMs;
    this.view = new LandingView({ settleMs, overdueMs }, inheritedFailures(former, world.former?.died === true, this.startedAtMs));
  }

  /** Runs until the signal comes, or one pass. Returns the last cycle's report; a signal lets the object in hand end. */
  async run(stop: AbortSignal): Promise<CycleReport> {
    if (this.options.once) return await this.pass(stop);
    let report = await this.cycle(stop);
    while (!stop.aborted) {
      const pauseMs = this.backlog ? 0 : Math.max(this.options.cycleMs, PAUSE_PER_LOOK * this.lookMs);
      await this.world.sleep(pauseMs, stop);
      if (!stop.aborted) report = await this.cycle(stop);
    }
    return await this.end(report.landed);
  }

  /** Everything that is ready now, and what becomes ready while it waits once for files that may still be written. */
  private async pass(stop: AbortSignal): Promise<CycleReport> {
    const report = this.newReport(0);
    await this.fold(report, 0);
    await this.lookAndIngest(report, stop);
    while (this.backlog && !stop.aborted) await this.lookAndIngest(report, stop);
    if (this.waiting > 0 && !stop.aborted) {
      await this.world.sleep(this.options.settleMs, stop);
      do await this.lookAndIngest(report, stop);
      while (this.backlog && !stop.aborted);
    }
    await this.fold(report, 0);
    if (!stop.aborted && isDue(this.billState?.at_ms ?? null, this.options.billMs, this.now())) await this.bill(report);
    if (!stop.aborted) await this.tidy(report);
    this.finish(report, this.now());
    return report;
  }

  private async cycle(stop: AbortSignal): Promise<CycleReport> {
    const report = this.newReport(this.now());
    // Commits of a killed process come first: what they hold is needed to recognise files that grew meanwhile.
    if (this.pending === null) await this.fold(report, 0);
    await this.lookAndIngest(report, stop);
    if (isDue(this.listedAllAtMs, this.options.billMs, this.now())) this.pending = null;
    await this.fold(report, this.options.foldMs);
    if (!stop.aborted && this.isBillDue()) await this.bill(report);
    // Bills come before order: the first time too.
    if (!stop.aborted && this.billedByThis && !this.backlog) await this.tidy(report);
    this.finish(report);
    return report;
  }

  private async lookAndIngest(report: CycleReport, stop: AbortSignal): Promise<void> {
    let ready: LandedObject[] = [];
    this.backlog = false;
    await this.guarded('look', report, async () => {
      ready = await this.look(report);
    });
    if (ready.length === 0 || stop.aborted) return;
    const startedAtMs = this.now();
    let done = 0;
    const went = await this.guarded('ingest', report, async () => {
      await this.stages.ingest(ready, {
        enough: () => stop.aborted || isDue(startedAtMs, Math.max(LEAST_BATCH_MS, this.options.foldMs), this.now()),
        before: (object) => {
          this.inHand = { name: object.name, last_modified_ms: object.lastModifiedMs, since_ms: this.now() };
          this.save(null);
        },
        after: (object, result) => {
          done++;
          this.inHand = null;
          this.took(object, result, report);
        },
      });
      this.backlog = done < ready.length;
    });
    // A commit may be stored of which its writer was not told.
    if (!went) this.pending = null;
    this.inHand = null;
    this.waiting += ready.length - done;
    report.waiting = this.waiting;
  }

  private async look(report: CycleReport): Promise<LandedObject[]> {
    const startedAtMs = this.now();
    const unreadable: Failing[] = [];
    const listing = await this.stages.list((path, error) =>
      unreadable.push({
        name: path,
        last_modified_ms: 0,
        tries: 1,
        next_try_at_ms: startedAtMs + this.options.cycleMs,
        error: errorText(error),
      }),
    );
    this.unreadable = unreadable;
    report.failed.push(...unreadable.map(({ name, error }) => ({ name, error })));
    const first = !this.looked;
    const seen = first ? await this.stages.seen(listing) : null;
    const mended = await this.stages.mended();
    const offered = new Set(mended);
    this.view.offer(offered);
    if (mended !== null && !first) this.view.retryAll();
    const { ready, waiting } = this.view.look(listing, this.now(), (file) => seen?.has(file) === true && !offered.has(file.name));
    this.looked = true;
    this.waiting = waiting;
    this.lookMs = first ? 0 : this.now() - startedAtMs;
    Object.assign(report, { landed: listing.length, waiting });
    return ready;
  }

  private took(object: LandedObject, result: ObjectResult, report: CycleReport): void {
    if ('moved' in result) this.view.changed(object, this.now());
    else if ('error' in result) {
      this.view.failed(object, result.error, this.now());
      report.failed.push({ name: object.name, error: result.error });
    } else {
      const { outcome, record, released } = result.outcome;
      this.view.read(object, this.now());
      report[outcome]++;
      if (outcome === 'committed') report.rows += rowCount(record);
      // A known content may have been committed by a process that was killed before it folded.
      if (outcome !== 'unfinished') this.pending?.push({ cid: record.cid, generation: record.generation }, ...released);
    }
  }

  /** Folds what is pending, unless the last snapshot was made less than `intervalMs` ago. */
  private async fold(report: CycleReport, intervalMs: number): Promise<void> {
    const commits = this.pending;
    if (commits?.length === 0 || !isDue(this.foldState?.at_ms ?? null, intervalMs, this.now())) return;
    await this.guarded('fold', report, async () => {
      const snapshot = await this.stages.fold(commits);
      if (commits === null) this.listedAllAtMs = this.now();
      this.pending = [];
      if (snapshot === null || snapshot === this.foldState?.snapshot) return;
      this.foldState = { snapshot, at_ms: this.now() };
      report.snapshot = snapshot;
    });
  }

  /** Hourly; the first time as soon as what lay there at the start is in. */
  private isBillDue(): boolean {
    const { billMs, settleMs } = this.options;
    if (this.billedByThis) return isDue(this.billState?.at_ms ?? null, billMs, this.now());
    return (
      isDue(this.startedAtMs, billMs, this.now()) ||
      (!this.backlog && (this.waiting === 0 || isDue(this.startedAtMs, 3 * settleMs, this.now())))
    );
  }

  private async bill(report: CycleReport): Promise<void> {
    await this.guarded('bill', report, async () => {
      const refreshed = await this.stages.refresh(this.billState?.snapshot ?? 0);
      this.billedByThis = refreshed !== null;
      if (refreshed === null) return;
      this.billState = { snapshot: refreshed.snapshot, at_ms: this.now() };
      report.bills = refreshed.bills;
    });
  }

  private async tidy(report: CycleReport): Promise<void> {
    if (!isDue(this.tidyState?.at_ms ?? null, this.options.tidyMs, this.now())) return;
    await this.guarded('tidy', report, async () => {
      report.tidied = await this.stages.tidy();
      this.tidyState = { at_ms: this.now() };
    });
  }

  /** Runs the stage unless it waits after a failure. False when it failed now. */
  private async guarded(stage: StageName, report: CycleReport, work: () => Promise<void>): Promise<boolean> {
    const earlier = this.faults.get(stage) ?? null;
    if (!mayTry(earlier, this.now())) return true;
    try {
      await work();
      this.faults.delete(stage);
      return true;
    } catch (error) {
      const text = errorText(error);
      this.faults.set(stage, afterFailure(earlier, text, this.now()));
      report.faults.push({ stage, error: text });
      return false;
    }
  }

  /** What came in last is folded before the process ends. */
  private async end(landed: number): Promise<CycleReport> {
    const report = this.newReport(landed);
    await this.fold(report, 0);
    this.finish(report, this.now());
    return report;
  }

  private finish(report: CycleReport, endedAtMs: number | null = null): void {
    if (this.faults.size === 0 && this.failing().length === 0) this.okAtMs = this.now();
    this.save(endedAtMs);
    this.world.report(report);
  }

  private save(endedAtMs: number | null): void {
    this.world.saveState({
      ...this.world.process,
      started_at_ms: this.startedAtMs,
      ended_at_ms: endedAtMs,
      cycle_at_ms: this.now(),
      ok_at_ms: this.okAtMs,
      waiting: this.waiting,
      in_hand: this.inHand,
      failing: this.failing(),
      faults: [...this.faults].map(([stage, retry]) => ({ stage, ...retry })),
      fold: this.foldState,
      bill: this.billState,
      tidy: this.tidyState,
    });
  }

  private failing(): Failing[] {
    return [...this.view.failing(), ...this.unreadable];
  }

  private newReport(landed: number): CycleReport {
    return {
      at_ms: this.now(),
      landed,
      committed: 0,
      known: 0,
      held: 0,
      unfinished: 0,
      rows: 0,
      waiting: this.waiting,
      snapshot: null,
      bills: [],
      tidied: null,
      failed: [],
      faults: [],
    };
  }

  private now(): number {
    return this.world.clock.now();
  }
}
