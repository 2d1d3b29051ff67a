/**
 * Somebody falls asleep for nine days at each of his calls in turn, while others go on and collect what looks abandoned: what deadlines are for. The
 * one exception is the write that decides: between it and the last look at the clock there is nothing.
 */
import { closer, collector, compactor, reader, reconciler, sealer, worker } from './actors.ts';
import type { Centre } from './centre.ts';
import { type Log, must, tellLife } from './life.ts';
import type { Moment } from './moments.ts';
import type { Mutation } from './mutation.ts';
import type { UsageLine } from './rows.ts';
import { DAY_MS, DECIDING } from './world.ts';

const NAP_MS = 9 * DAY_MS;
const WORK = { worker, compactor, closer };
type Sleeper = keyof typeof WORK;

/** `call`: from 1. `reached` is false when the sleeper makes fewer calls; at a call that decides nobody sleeps. */
export function napOf(who: Sleeper, napMs: number = NAP_MS): Moment {
  return async (call: number, mutation: Mutation, log: Log) => {
    let calls = 0;
    const violation = await tellLife(
      (centre) => live(centre, who, napMs),
      (world) => {
        world.nap = (process, operation, key) => {
          if (!process.name.startsWith(`sleepy ${who}`)) return null;
          calls += 1;
          return calls !== call || (operation === 'put' && DECIDING.test(key)) ? null : napMs;
        };
      },
      mutation,
      log,
    );
    return { violation, reached: calls >= call };
  };
}

async function live(centre: Centre, who: Sleeper, napMs: number): Promise<void> {
  const { world } = centre;
  const line = (u: number, at: number): UsageLine => ({ u, id: `id${u}`, at, t: 'alpha', n: 100 + u });
  const march = (day: number): number => Date.UTC(2026, 2, day, 7);
  const land = (name: string, usage: readonly UsageLine[], bad = 0): void =>
    centre.queue.send(centre.land(name, { usage, blank: 0, bad }), world.now());
  const sealed = async (): Promise<void> => {
    await must(centre, 'worker', (process) => worker(centre, process));
    await must(centre, 'sealer', (process) => sealer(process, true));
  };
  // One compaction stands already, and two files of March are to be merged.
  land('gw/1.jsonl', [line(1, march(1))]);
  land('gw/2.jsonl', [line(2, march(2))]);
  await sealed();
  await world.sleep(3 * DAY_MS);
  await must(centre, 'compactor', (process) => compactor(centre, process));
  land('gw/3.jsonl', [line(3, march(3))]);
  land('gw/4.jsonl', [line(4, march(4))]);
  await sealed();
  await world.sleep(12 * DAY_MS);

  if (who === 'worker') land('gw/5.jsonl', [line(5, march(5)), line(6, Date.UTC(2026, 3, 1))], 1);
  const sleeper = world.start(world.newName(`sleepy ${who} `), (process) => WORK[who](centre, process));
  // Others go on, and do not do his work for him.
  await world.sleep(napMs / 200);
  if (who === 'closer') await must(centre, 'compactor', (process) => compactor(centre, process));
  await world.sleep((napMs * 8) / 9);
  await must(centre, 'collector', (process) => collector(centre, process));
  await sleeper.ending;

  await world.sleep(DAY_MS);
  await must(centre, 'reconciler', (process) => reconciler(centre, process));
  await sealed();
  await must(centre, 'reader', (process) => reader(centre, process));
  await world.sleep(30 * DAY_MS);
  await must(centre, 'closer', (process) => closer(centre, process));
  await must(centre, 'collector', (process) => collector(centre, process));
}
