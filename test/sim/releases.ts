/**
 * A content counts as part of a longer one: what a close must not see half of, and a parser fix must not bring back. Rows have no ids, so what is
 * counted twice is billed twice.
 */
import { closer, reparseObject, sealer, watcher, worker } from './actors.ts';
import type { Centre } from './centre.ts';
import { type Log, must, tellLife } from './life.ts';
import type { Moment } from './moments.ts';
import type { Mutation } from './mutation.ts';
import type { SimProcess } from './process.ts';
import type { UsageLine } from './rows.ts';
import { DAY_MS, DECIDING, HOUR_MS } from './world.ts';

const LOG = 'edge/usage.log';
const RELEASE = /^_commits\/.*\.g1\.json$/;

/** A watcher falls asleep between the commit of a grown log and the release of its beginning, and wakes while a closer sleeps at this call. */
export const closeBetween: Moment = async (call: number, mutation: Mutation, log: Log) => {
  let calls = 0;
  const violation = await tellLife(
    liveOfClose,
    (world) => {
      world.nap = ({ name }, operation, key) => {
        if (name.startsWith('reading watcher') && operation === 'put' && RELEASE.test(key)) return HOUR_MS;
        if (!name.startsWith('sleepy closer')) return null;
        calls += 1;
        return calls !== call || (operation === 'put' && DECIDING.test(key)) ? null : 2 * HOUR_MS;
      };
    },
    mutation,
    log,
  );
  return { violation, reached: calls >= call };
};

async function liveOfClose(centre: Centre): Promise<void> {
  const { world, landing } = centre;
  landing.append(LOG, [lineOf(11), lineOf(12)], world.now());
  await world.sleep(HOUR_MS);
  await must(centre, 'watcher', (process) => watcher(centre, process, null));
  await world.sleep(30 * DAY_MS);
  landing.append(LOG, [lineOf(13)], world.now());
  await world.sleep(HOUR_MS);
  const reading = world.start(world.newName('reading watcher '), (process) => watcher(centre, process, null));
  await world.sleep(HOUR_MS / 4);
  const closing = world.start(world.newName('sleepy closer '), (process) => closer(centre, process));
  await Promise.all([reading.ending, closing.ending]);
  await must(centre, 'sealer', (process) => sealer(process, true));
  // Refused while the log was not noted: whoever closes looks again.
  await must(centre, 'closer', (process) => closer(centre, process));
  await world.sleep(30 * DAY_MS);
  await must(centre, 'closer', (process) => closer(centre, process));
}

/** A reparser of a copy of what a grown object begins with dies at this call, and another one does its work. */
export const reparsedBeginning: Moment = async (call: number, mutation: Mutation, log: Log) => {
  let calls = 0;
  const violation = await tellLife(
    liveOfReparse,
    (world) => {
      world.aim = ({ name }) => {
        if (!name.startsWith('mortal reparser')) return 'ok';
        calls += 1;
        return calls === call ? 'dies after' : 'ok';
      };
    },
    mutation,
    log,
  );
  return { violation, reached: calls >= call };
};

async function liveOfReparse(centre: Centre): Promise<void> {
  const { world, landing } = centre;
  const land = (name: string, usage: readonly UsageLine[]): void =>
    centre.queue.send(centre.land(name, { usage, blank: 0, bad: 0 }), world.now());
  const ingested = (): Promise<void> => must(centre, 'worker', (process) => worker(centre, process));
  const beginning = [lineOf(11), lineOf(12)];
  land('gw/1.jsonl', beginning);
  await ingested();
  await world.sleep(HOUR_MS);
  land('gw/1.jsonl', [...beginning, lineOf(13)]);
  await ingested();
  land('gw/copy.jsonl', beginning);
  await ingested();
  await must(centre, 'sealer', (process) => sealer(process, true));

  centre.hasSecondParser = true;
  for (const { name } of landing.listing(async () => {})) {
    const readAgain = (process: SimProcess): Promise<void> => {
      const object = landing.listing((what) => process.point(what)).find((one) => one.name === name)!;
      return reparseObject(centre, process, object);
    };
    await world.start(world.newName('mortal reparser '), readAgain).ending;
    await world.sleep(HOUR_MS);
    await must(centre, 'reparser', readAgain);
  }
  await must(centre, 'sealer', (process) => sealer(process, true));
  await world.sleep(30 * DAY_MS);
  await must(centre, 'closer', (process) => closer(centre, process));
}

/** No ids. All lines are of one length. */
function lineOf(u: number): UsageLine {
  return { u, id: null, at: Date.UTC(2026, 2, 19, 7) + u, t: 'alpha', n: u };
}
