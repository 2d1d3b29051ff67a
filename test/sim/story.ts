/**
 * One history of two months and their corrections, step by step and on a good day, but for the stops that are aimed at it. Whoever is stopped is
 * started again, as a schedule would; the end must be the same as without any stop.
 */
import { readAdjustments } from '../../functions/close/adjustments.ts';
import { readChain } from '../../functions/close/statement.ts';
import { seenKey } from '../../functions/ledger/keys.ts';
import { newestSnapshot, snapshotCommits } from '../../functions/ledger/snapshot.ts';
import { closer, collector, compactor, reader, reconciler, reparseObject, sealer, watcher, worker } from './actors.ts';
import { Centre } from './centre.ts';
import type { Call } from './crash-points.ts';
import { SIGNER } from './months.ts';
import type { Fate, SimProcess } from './process.ts';
import type { UsageLine } from './rows.ts';
import { judge } from './verdict.ts';
import { Violation } from './witness.ts';
import { DAY_MS, HOUR_MS, World } from './world.ts';

/** Decides what becomes of a call; null: nothing special. */
export type Aim = (call: Call) => Fate | null;

export interface Told {
  /** What must be the same however often somebody was stopped. */
  readonly end: string;
  readonly calls: readonly Call[];
  readonly violation: string | null;
}

/** Stops that one step survives before the story gives up on it. */
const PATIENCE = 10;

export async function tellStory(aim: Aim, log: ((line: string) => void) | null = null): Promise<Told> {
  const world = new World(0, Date.UTC(2026, 2, 20, 8), {}, log);
  const centre = new Centre(world, 0);
  const calls: Call[] = [];
  const before = new Map<SimProcess, Call[]>();
  world.aim = (process, operation, key) => {
    const own = before.get(process) ?? [];
    const call: Call = { actor: process.name.split(' ')[0]!, operation, key, before: [...own] };
    before.set(process, [...own, call]);
    calls.push(call);
    return aim(call) ?? 'ok';
  };
  let end = '';
  void live(centre)
    .then(async () => {
      await judge(centre);
      end = await endState(centre);
    })
    .catch((error: unknown) => world.fail(error instanceof Violation ? error.message : String((error as Error).stack)));
  await world.scheduler.run();
  if (world.violation === null && end === '') world.fail('the story came to a standstill');
  return { end, calls, violation: world.violation?.message ?? null };
}

async function live(centre: Centre): Promise<void> {
  const { world, landing } = centre;
  const march = (day: number): number => Date.UTC(2026, 2, day, 7);
  const line = (u: number, at: number, hasId = true): UsageLine => ({
    u,
    id: hasId ? `id${u}` : null,
    at,
    t: u % 2 === 0 ? 'alpha' : 'beta',
    n: 100 + u,
  });

  const first = { usage: [line(1, march(19)), line(2, march(20))], blank: 1, bad: 0 };
  const second = [line(3, march(18))];
  for (const version of [centre.land('gw/1.jsonl', first), centre.land('gw/2.jsonl', { usage: second, blank: 0, bad: 0 })])
    centre.queue.send(version, world.now());
  landing.append('edge/usage.log', [line(4, march(20), false)], world.now());
  await ingested(centre);
  await step(centre, 'sealer', (process) => sealer(process, false));

  await world.sleep(3 * DAY_MS);
  // The second object grew, the first came once more under another name, and the log is rotated.
  centre.queue.send(centre.land('gw/2.jsonl', { usage: [...second, line(5, march(22))], blank: 0, bad: 0 }), world.now());
  centre.queue.send(centre.land('gw/copy.jsonl', first), world.now());
  landing.rotate('edge/usage.log');
  landing.append('edge/usage.log', [line(6, march(23), false)], world.now());
  await ingested(centre);
  await step(centre, 'sealer', (process) => sealer(process, true));
  await world.sleep(3 * DAY_MS);
  await step(centre, 'compactor', (process) => compactor(centre, process));

  await world.sleep(8 * DAY_MS);
  await step(centre, 'closer', (process) => closer(centre, process));

  // A late row of March and one of April in one object, with a line that is refused; and a parser that reads the first object otherwise.
  const late = { usage: [line(7, march(25)), line(8, Date.UTC(2026, 3, 2))], blank: 0, bad: 1 };
  centre.queue.send(centre.land('gw/3.jsonl', late), world.now());
  await ingested(centre);
  centre.hasSecondParser = true;
  await step(centre, 'reparser', (process) => reparseObject(centre, process, landing.listing((what) => process.point(what))[0]!));
  await step(centre, 'sealer', (process) => sealer(process, true));
  await world.sleep(9 * DAY_MS);
  await step(centre, 'collector', (process) => collector(centre, process));
  await world.sleep(20 * DAY_MS);
  await step(centre, 'closer', (process) => closer(centre, process));

  await world.sleep(10 * DAY_MS);
  await step(centre, 'collector', (process) => collector(centre, process));
  await step(centre, 'reader', (process) => reader(centre, process));
}

/** Everything that landed is noted: a message that was not acknowledged comes again after half an hour. */
async function ingested(centre: Centre): Promise<void> {
  const { world, queue } = centre;
  for (let left = PATIENCE; left > 0; left -= 1) {
    await step(centre, 'worker', (process) => worker(centre, process));
    if (queue.length === 0) break;
    await world.sleep(HOUR_MS);
  }
  // A pass of the watcher notes what failed and ends; the next one tries again.
  for (let left = PATIENCE; left > 0 && !logsAreNoted(centre); left -= 1) {
    await step(centre, 'watcher', (process) => watcher(centre, process, null));
    await world.sleep(HOUR_MS);
  }
  await step(centre, 'reconciler', (process) => reconciler(centre, process));
  if (queue.length > 0) throw new Violation('a message is never done with');
}

function logsAreNoted({ world, landing }: Centre): boolean {
  return landing.files(async () => {}).every((file) => world.disk.get(seenKey(file)) !== null);
}

async function step({ world }: Centre, name: string, act: (process: SimProcess) => Promise<unknown>): Promise<void> {
  for (let left = PATIENCE; left > 0; left -= 1) {
    if ((await world.start(world.newName(`${name} `), act).ending) === 'ended') return;
    // Whatever is still under way takes effect within a minute.
    await world.sleep(2 * 60_000);
  }
  throw new Violation(`${name} never ends well`);
}

/** Rows as they count, contents, bills by their comparable digest, statements of corrections, and how many files are left. */
async function endState({ world }: Centre): Promise<string> {
  const store = world.quietStore();
  const snapshot = (await newestSnapshot(store))!;
  const contents: string[] = [];
  for await (const { cid, lines, kind } of snapshotCommits(store, snapshot))
    contents.push(`${cid} ${kind} ${lines.physical} ${lines.valid}`);
  const chain = await readChain(store, SIGNER.publicKey);
  const bills: unknown[] = [];
  for (const { value } of chain) {
    const statements = await readAdjustments(store, value.period, SIGNER.publicKey);
    bills.push([value.period, value.bill, value.total, statements.map(({ value: { issued_in, total } }) => [issued_in, total])]);
  }
  const data = world.disk.page('data/', undefined, Number.POSITIVE_INFINITY).length;
  return JSON.stringify({ contents: contents.sort(), totals: snapshot.totals, bills, data }, null, 1);
}
