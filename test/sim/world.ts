/** What all actors of one seed share: time, chance, the store, the landing place, and the witness that watches over every write. */

import { KashiError } from '../../functions/domain/errors.ts';
import { Random } from '../../functions/generate/random.ts';
import type { ParsePool } from '../../functions/ingest/object-jobs.ts';
import { type ObjectStore, type ParquetMerger, type ParquetWriter, TransientStoreError } from '../../functions/ports.ts';
import { Disk } from './disk.ts';
import { Landing } from './landing.ts';
import type { Mutation } from './mutation.ts';
import { type Fate, type Operation, SimProcess } from './process.ts';
import { Files, mergerOver, poolOver, writerOver } from './rows.ts';
import { Scheduler } from './scheduler.ts';
import { CALM, type Weather } from './weather.ts';
import { Violation, Witness } from './witness.ts';

export const SECOND_MS = 1000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Somebody who reads longer than this may find that files are gone: snapshots are kept for seven days after they were the newest, less a day that clocks may differ. */
const OLD_READER_MS = 5 * DAY_MS;

/** Whoever sleeps here has begun something and has not decided it: what deadlines are for. */
const UNDECIDED = /^(data|_quarantine|_segments|config)\//;
/** Writes that decide. Nothing can be looked at between the last look at the clock and these, so nobody sleeps here for as long as files are kept. */
export const DECIDING = /^(_commits|_snap|closes|bills)\//;
const LONGEST_BEFORE_DECIDING_H = 26;
const STALLS_H = [0.2, 5, 25, 26, 80, 200, 480];
const LONG_STALLS_H = [5, 26, 200, 300, 480];

export interface Counters {
  calls: number;
  faults: number;
  deaths: number;
  stalls: number;
  commits: number;
  snapshots: number;
  bills: number;
  corrections: number;
  compactions: number;
  deleted: number;
}

export class World {
  readonly scheduler: Scheduler;
  readonly disk: Disk;
  readonly landing = new Landing();
  readonly files = new Files();
  readonly pool: ParsePool;
  readonly writer: ParquetWriter;
  readonly merger: ParquetMerger;
  readonly witness: Witness;
  readonly mutation: Mutation;
  /** Chances of faults, apart from those of the plan, so that a plan stays when the weather changes. */
  readonly faults: Random;
  readonly counters: Counters = {
    calls: 0,
    faults: 0,
    deaths: 0,
    stalls: 0,
    commits: 0,
    snapshots: 0,
    bills: 0,
    corrections: 0,
    compactions: 0,
    deleted: 0,
  };
  weather: Weather = CALM;
  violation: Violation | null = null;
  /** Decides a call's fate before chance does: for exact crash points. */
  aim: ((process: SimProcess, operation: Operation, key: string) => Fate | null) | null = null;
  /** Decides how long a call takes before chance does. */
  nap: ((process: SimProcess, operation: Operation, key: string) => number | null) | null = null;
  private readonly log: ((line: string) => void) | null;
  private names = 0;

  constructor(seed: number, startMs: number, mutation: Mutation, log: ((line: string) => void) | null) {
    this.scheduler = new Scheduler(startMs);
    this.disk = new Disk(() => this.now());
    this.faults = new Random(String(seed), 'faults');
    this.mutation = mutation;
    this.log = log;
    this.pool = poolOver(this.files);
    const salt = (): string => this.newName('s');
    this.writer = writerOver(this.files, salt);
    this.merger = mergerOver(this.files, salt, mutation.lossyMerger === true);
    this.witness = new Witness(this);
    this.disk.witness = this.witness;
  }

  now(): number {
    return this.scheduler.nowMs;
  }

  sleep(ms: number): Promise<void> {
    return this.scheduler.sleep(ms);
  }

  newName(letter: string): string {
    this.names += 1;
    return `${letter}${this.names}`;
  }

  /** The store without faults and waits. */
  quietStore(): ObjectStore {
    return this.disk.plain((file) => this.files.bytes(file));
  }

  /** Starts a process; its ending says how it went. An error that the protocol does not allow is a violation. */
  start(name: string, act: (process: SimProcess) => Promise<unknown>): SimProcess {
    const process = new SimProcess(this, name);
    void act(process).then(
      () => {
        if (process.alive) process.finish('ended');
      },
      (error: unknown) => {
        if (!process.alive) return;
        if (!this.isAllowed(error, process)) this.fail(`${name} failed: ${textOf(error)}`);
        this.note(process, 'error', textOf(error), 'ok');
        process.finish('failed');
      },
    );
    return process;
  }

  /** Runs a step that may fail as the protocol allows; true when it went well. */
  async attempt(process: SimProcess, step: () => Promise<unknown>): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      if (error instanceof Violation || !this.isAllowed(error, process)) throw error;
      this.note(process, 'error', textOf(error), 'ok');
      return false;
    }
  }

  /** Lost connections and lost races; and what is gone for somebody who slept through the window. */
  isAllowed(error: unknown, process: SimProcess): boolean {
    if (error instanceof TransientStoreError) return true;
    if (!(error instanceof KashiError)) return false;
    if (error.code === 'conflict' || error.code === 'gone') return true;
    return error.code === 'store_corrupt' && process.ageMs > OLD_READER_MS;
  }

  fail(text: string): void {
    if (this.violation !== null) return;
    this.violation = new Violation(text);
    this.say(`VIOLATION ${text}`);
    this.scheduler.stop();
  }

  fateOf(process: SimProcess, operation: Operation, key: string): Fate {
    this.counters.calls += 1;
    const fate = this.aim?.(process, operation, key) ?? this.drawnFate(operation);
    if (fate !== 'ok') this.counters[fate.startsWith('dies') ? 'deaths' : 'faults'] += 1;
    return fate;
  }

  latencyOf(process: SimProcess, operation: Operation, key: string): number {
    const nap = this.nap?.(process, operation, key) ?? null;
    if (nap !== null) return nap;
    const { stallPerMyriad, slowPermille } = this.weather;
    if (stallPerMyriad > 0 && operation !== 'read') {
      const isPut = operation === 'put';
      const isUndecided = isPut && UNDECIDED.test(key);
      if (this.faults.int(1, 10_000) <= (isUndecided ? stallPerMyriad * 20 : stallPerMyriad)) {
        this.counters.stalls += 1;
        const hours = this.faults.pick(isUndecided ? LONG_STALLS_H : STALLS_H);
        return Math.min(hours, isPut && DECIDING.test(key) ? LONGEST_BEFORE_DECIDING_H : hours) * HOUR_MS;
      }
    }
    if (!this.faults.permille(slowPermille)) return this.faults.int(1, 20);
    return this.faults.int(50, operation === 'read' ? 30_000 : 5000);
  }

  drawnSkewMs(): number {
    const { skewMs } = this.weather;
    return skewMs === 0 ? 0 : this.faults.int(-skewMs, skewMs);
  }

  isClockSet(): boolean {
    const { clockSetPermille } = this.weather;
    return clockSetPermille > 0 && this.faults.permille(clockSetPermille);
  }

  note(process: SimProcess, what: string, key = '', fate: Fate = 'ok'): void {
    if (this.log !== null) this.say(`${process.name.padEnd(14)} ${what.padEnd(7)} ${key}${fate === 'ok' ? '' : `  <${fate}>`}`);
  }

  say(line: string): void {
    this.log?.(`${new Date(this.now()).toISOString()} ${line}`);
  }

  private drawnFate(operation: Operation): Fate {
    const { errorPermille, deathPermille } = this.weather;
    if (errorPermille + deathPermille === 0) return 'ok';
    const roll = this.faults.int(1, 1000);
    if (roll <= deathPermille) return this.faults.pick(['dies before', 'dies after', 'dies, late']);
    if (operation === 'read' || roll > deathPermille + errorPermille) return 'ok';
    return operation === 'put' || operation === 'delete' ? this.faults.pick(['lost', 'landed', 'late']) : 'lost';
  }
}

function textOf(error: unknown): string {
  if (error instanceof KashiError) return `${error.code}: ${error.message} ${JSON.stringify(error.details)}`;
  return error instanceof Error ? (error instanceof TransientStoreError ? error.message : (error.stack ?? error.message)) : String(error);
}
