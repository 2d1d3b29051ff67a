/** A log grows, is rotated, and its program fills the new file, all in the instant of one call of the watcher that reads it: at each of its calls in turn. */
import { closer, sealer, watcher } from './actors.ts';
import type { Centre } from './centre.ts';
import { type Log, must, tellLife } from './life.ts';
import type { Moment } from './moments.ts';
import type { Mutation } from './mutation.ts';
import type { UsageLine } from './rows.ts';
import { DAY_MS, HOUR_MS } from './world.ts';

const LOG = 'edge/usage.log';

/** `after`: lines in the new file: fewer than in the old one, or more. `grows`: lines that the old one gets before. */
export function rotationOf(grows: number, after: number): Moment {
  return async (call: number, mutation: Mutation, log: Log) => {
    let calls = 0;
    const violation = await tellLife(
      live,
      (world, { landing }) => {
        let lines = 100;
        const newLines = (count: number): UsageLine[] => {
          lines += count;
          return Array.from({ length: count }, (_, place) => lineOf(lines - place));
        };
        world.aim = (process) => {
          if (!process.name.startsWith('reading watcher')) return 'ok';
          calls += 1;
          if (calls !== call) return 'ok';
          landing.append(LOG, newLines(grows), world.now());
          landing.rotate(LOG);
          landing.append(LOG, newLines(after), world.now());
          return 'ok';
        };
      },
      mutation,
      log,
    );
    return { violation, reached: calls >= call };
  };
}

/** No ids: what is read twice counts twice. All lines are of one length. */
function lineOf(u: number): UsageLine {
  return { u, id: null, at: Date.UTC(2026, 2, 19, 7) + u, t: 'alpha', n: u };
}

async function live(centre: Centre): Promise<void> {
  const { world, landing } = centre;
  landing.append(
    LOG,
    [101, 102].map((u) => lineOf(u - 90)),
    world.now(),
  );
  await world.sleep(HOUR_MS);
  await must(centre, 'watcher', (process) => watcher(centre, process, null));
  landing.append(LOG, [lineOf(13)], world.now());
  await world.sleep(HOUR_MS);
  // Long enough for several passes, so that it meets the new files itself.
  await must(centre, 'reading watcher', (process) => watcher(centre, process, 45_000));
  await world.sleep(HOUR_MS);
  await must(centre, 'watcher', (process) => watcher(centre, process, null));
  await must(centre, 'sealer', (process) => sealer(process, true));
  await world.sleep(30 * DAY_MS);
  await must(centre, 'closer', (process) => closer(centre, process));
}
