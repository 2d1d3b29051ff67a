/** One seed: months of a centre in which everybody works at once and everything goes wrong, then calm, then the verdict. */
import { closer, collector, compactor, orderer, reader, reconciler, reparser, sealer, watcher, worker } from './actors.ts';
import { Centre } from './centre.ts';
import { monthBounds } from './months.ts';
import type { Mutation } from './mutation.ts';
import type { Ending, SimProcess } from './process.ts';
import { judge } from './verdict.ts';
import { CALM, weatherOf } from './weather.ts';
import { Violation } from './witness.ts';
import { type Counters, DAY_MS, HOUR_MS, SECOND_MS, World } from './world.ts';

export interface History {
  readonly seed: number;
  /** What was violated; null when nothing was. */
  readonly violation: string | null;
  /** SHA-256 of the end state: two runs of a seed have the same. */
  readonly digest: string;
  readonly counters: Counters;
}

export interface HistoryOptions {
  readonly mutation?: Mutation;
  readonly log?: (line: string) => void;
}

/** Runs a seed to its end, or to its first violation. */
export async function runSeed(seed: number, { mutation = {}, log }: HistoryOptions = {}): Promise<History> {
  const startMs = Date.UTC(2026, seed % 12, 14 + (seed % 13), seed % 24);
  const world = new World(seed, startMs, mutation, log ?? null);
  const centre = new Centre(world, seed);
  let digest = '';
  void live(centre)
    .then(async () => {
      digest = await judge(centre);
    })
    .catch((error: unknown) => world.fail(error instanceof Violation ? error.message : String((error as Error).stack)));
  await world.scheduler.run();
  if (world.violation === null && digest === '') world.fail('the history came to a standstill');
  return { seed, violation: world.violation?.message ?? null, digest, counters: world.counters };
}

/** Nobody collects what is younger than a week. */
const OLD_ENOUGH_MS = 7.5 * DAY_MS;

/** Between two bursts of work: most bursts are hours apart, some weeks, a few a year. */
function pauseMs({ plan }: Centre): number {
  const kind = plan.weighted([25, 13, 25, 36, 1]);
  return [plan.int(1, 12) * HOUR_MS, plan.int(1, 3) * DAY_MS, plan.int(8, 20) * DAY_MS, plan.int(28, 40) * DAY_MS, 330 * DAY_MS][kind]!;
}

async function live(centre: Centre): Promise<void> {
  const { world, plan } = centre;
  world.weather = weatherOf(plan);
  world.say(`weather        ${JSON.stringify(world.weather)}`);
  for (let bursts = plan.int(2, 4); bursts > 0; bursts -= 1) {
    burst(centre);
    const pause = pauseMs(centre);
    // Files are collected by the calendar, also while somebody sleeps over what he has not decided yet.
    if (pause > OLD_ENOUGH_MS && plan.permille(600))
      begin(centre, 'collector', OLD_ENOUGH_MS / SECOND_MS, pause / SECOND_MS, 0, (process) => collector(centre, process));
    await world.sleep(pause);
  }
  await settle(centre);
}

/** Everybody begins within seconds of each other. */
function burst(centre: Centre): void {
  const { plan, world } = centre;
  if (!centre.hasSecondParser && plan.permille(100)) centre.hasSecondParser = true;
  for (let count = plan.int(1, 4); count > 0; count -= 1) soon(centre, 0, 5, () => void centre.produce());
  for (let count = plan.int(1, 3); count > 0; count -= 1) begin(centre, 'worker', 0, 8, 600, (process) => worker(centre, process));
  const isOver = monthBounds(centre.nextMonth()).endMs <= world.now();
  const closes = isOver && plan.permille(850);
  if (closes || plan.permille(400)) {
    if (world.mutation.noReconciler !== true) begin(centre, 'reconciler', 4, 12, 0, (process) => reconciler(centre, process));
    begin(centre, 'late worker', 13, 20, 0, (process) => worker(centre, process));
  }
  if (closes || plan.permille(400)) watch(centre, 10);
  for (let count = plan.int(1, 2); count > 0; count -= 1) {
    const everything = plan.permille(500);
    begin(centre, 'sealer', 0, 20, 300, (process) => sealer(process, everything));
  }
  if (plan.permille(150)) begin(centre, 'reparser', 5, 25, 0, (process) => reparser(centre, process));
  if (plan.permille(400)) begin(centre, 'compactor', 0, 40, 300, (process) => compactor(centre, process));
  if (plan.permille(120)) begin(centre, 'compactor', 0, 40, 300, (process) => compactor(centre, process));
  if (plan.permille(400)) begin(centre, 'collector', 0, 40, 300, (process) => collector(centre, process));
  if (plan.permille(500)) begin(centre, 'reader', 0, 60, 0, (process) => reader(centre, process));
  if (plan.permille(150)) begin(centre, 'orderer', 0, 40, 300, (process) => orderer(centre, process));
  if (closes) for (let count = plan.int(1, 2); count > 0; count -= 1) soon(centre, 40, 100, () => void closeUntilDone(centre));
}

/** Between so many seconds and so many. */
function soon({ plan, world }: Centre, from: number, to: number, act: () => void): void {
  void world.sleep(plan.int(from * SECOND_MS, to * SECOND_MS)).then(act);
}

/** Starts a process after so many seconds; one that died may be started again at once, by the chance given in thousandths. */
function begin(
  centre: Centre,
  name: string,
  from: number,
  to: number,
  againPermille: number,
  act: (process: SimProcess) => Promise<unknown>,
): void {
  const { world, plan } = centre;
  soon(centre, from, to, async () => {
    for (let ending: Ending = 'died'; ending === 'died'; ) {
      ending = await world.start(world.newName(`${name} `), act).ending;
      if (!plan.permille(againPermille)) return;
    }
  });
}

/** A person closes: what is in the way is ingested, and a close that died is begun again, until patience ends. */
async function closeUntilDone(centre: Centre): Promise<void> {
  const { world, plan } = centre;
  for (let patience = plan.int(1, 5); patience > 0; patience -= 1) {
    const ending = await world.start(world.newName('closer '), (process) => closer(centre, process)).ending;
    if (ending === 'ended') return;
    if (ending === 'died') continue;
    if (world.mutation.noReconciler !== true)
      await world.start(world.newName('reconciler '), (process) => reconciler(centre, process)).ending;
    await world.start(world.newName('worker '), (process) => worker(centre, process)).ending;
    await watchNow(centre);
  }
}

/** One watcher at a time: a second one on a machine sees that the first is alive. */
function watch(centre: Centre, seconds: number): void {
  soon(centre, 0, seconds, () => void watchNow(centre));
}

async function watchNow(centre: Centre): Promise<void> {
  const { world, plan } = centre;
  if (centre.isWatched) return;
  centre.isWatched = true;
  const forMs = plan.permille(400) ? plan.int(20, 150) * SECOND_MS : null;
  for (let ending: Ending = 'died'; ending === 'died'; ) {
    ending = await world.start(world.newName('watcher '), (process) => watcher(centre, process, forMs)).ending;
    if (!plan.permille(600)) break;
  }
  centre.isWatched = false;
}

/** The faults end. Whoever sleeps wakes up, what is left to do is done once, and weeks later the garbage is collected. */
async function settle(centre: Centre): Promise<void> {
  const { world } = centre;
  world.weather = CALM;
  // The longest stall is 20 days.
  await world.sleep(21 * DAY_MS);
  const run = async (name: string, act: (process: SimProcess) => Promise<unknown>): Promise<void> => {
    const ending = await world.start(name, act).ending;
    if (ending !== 'ended') world.fail(`${name} ${ending} although nothing went wrong`);
  };
  if (world.mutation.noReconciler !== true) await run('last reconciler', (process) => reconciler(centre, process));
  await run('last worker', (process) => worker(centre, process));
  // A file over which earlier watchers died waits, up to ten minutes: a schedule comes again.
  await run('last watcher but one', (process) => watcher(centre, process, null));
  await world.sleep(HOUR_MS);
  await run('last watcher', (process) => watcher(centre, process, null));
  await run('last sealer', (process) => sealer(process, true));
  await world.sleep(3 * DAY_MS);
  await run('last compactor', (process) => compactor(centre, process));
  // The month in which the last line landed is over.
  await world.sleep(monthBounds(new Date(world.now()).toISOString().slice(0, 7)).endMs - world.now());
  await run('last closer', (process) => closer(centre, process));
  await world.sleep(10 * DAY_MS);
  await run('last collector', (process) => collector(centre, process));
  await run('last reader', (process) => reader(centre, process));
}
