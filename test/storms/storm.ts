/** What a storm is: one hostile situation with its figures, on real parts, that counts what came of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../functions/generate/random.ts';

export interface StormOptions {
  /** The form for npm test: the same rules on smaller figures. */
  readonly small: boolean;
  readonly seed: string;
  readonly kills: number;
  /** How long writers and sealers race. */
  readonly writerSeconds: number;
  /** Of the month that is folded in case scale, in a folder or in memory. */
  readonly commits: number;
  readonly onDisk: boolean;
  /** Which bytes below a closed bill are changed: each n-th of its signed records, each n-th of the larger files they name. */
  readonly flipEvery: { readonly signed: number; readonly named: number };
}

/** The form that npm test plays. */
export const SMALL: StormOptions = {
  small: true,
  seed: '1',
  kills: 6,
  writerSeconds: 2,
  commits: 2000,
  onDisk: true,
  flipEvery: { signed: 400, named: 20_000 },
};

export interface Storm {
  readonly name: string;
  /** Row of RELIABILITY 4.4 (or 4.1) that it plays. */
  readonly title: string;
  /** The conditions, and what must come of them. */
  wanted(options: StormOptions): string;
  /** What was measured, in words. Errors: AssertionError when it is not what is wanted */
  run(at: StormRun): Promise<string>;
}

export interface StormRun extends StormOptions {
  /** A folder of its own, removed afterwards. */
  readonly folder: string;
  /** Streams with different names are independent. */
  random(stream: string): Random;
  /** How far it is, for a person who waits. */
  note(text: string): void;
}

export interface StormResult {
  readonly name: string;
  readonly title: string;
  readonly wanted: string;
  readonly measured: string;
  readonly outcome: 'ok' | 'FAIL';
  readonly seconds: number;
}

export async function runStorm(storm: Storm, options: StormOptions, note: (text: string) => void = () => {}): Promise<StormResult> {
  const folder = mkdtempSync(join(tmpdir(), `kashi-storm-${storm.name}-`));
  const started = performance.now();
  const ended = (outcome: StormResult['outcome'], measured: string): StormResult => ({
    name: storm.name,
    title: storm.title,
    wanted: storm.wanted(options),
    measured,
    outcome,
    seconds: (performance.now() - started) / 1000,
  });
  try {
    const random = (stream: string): Random => new Random(options.seed, `${storm.name}/${stream}`);
    return ended('ok', await storm.run({ ...options, folder, random, note }));
  } catch (error) {
    return ended('FAIL', error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A copy in random order (Fisher–Yates). */
export function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const all = [...items];
  for (let place = all.length - 1; place > 0; place--) {
    const other = random.int(0, place);
    [all[place], all[other]] = [all[other]!, all[place]!];
  }
  return all;
}

/** Runs so many workers side by side, each taking the next item until none is left. */
export async function byWorkers<Item>(
  workers: number,
  items: readonly Item[],
  act: (item: Item, worker: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async (_: unknown, worker: number): Promise<void> => {
    while (next < items.length) await act(items[next++]!, worker);
  };
  await Promise.all(Array.from({ length: workers }, work));
}

export function grouped(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',');
}
