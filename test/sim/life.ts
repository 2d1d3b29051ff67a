/** A history that is written down, not drawn: on a good day, but for what is done to it at exact calls. */
import { Centre } from './centre.ts';
import type { Mutation } from './mutation.ts';
import type { SimProcess } from './process.ts';
import { judge } from './verdict.ts';
import { Violation } from './witness.ts';
import { World } from './world.ts';

export type Log = ((line: string) => void) | null;

/** From 20 March 2026, 8:00 UTC, on; `prepare` sets the hooks of the world. Returns what was violated, or null. */
export async function tellLife(
  live: (centre: Centre) => Promise<void>,
  prepare: (world: World, centre: Centre) => void,
  mutation: Mutation = {},
  log: Log = null,
): Promise<string | null> {
  const world = new World(0, Date.UTC(2026, 2, 20, 8), mutation, log);
  const centre = new Centre(world, 0);
  prepare(world, centre);
  let isOver = false;
  void live(centre)
    .then(async () => {
      await judge(centre);
      isOver = true;
    })
    .catch((error: unknown) => world.fail(error instanceof Violation ? error.message : String((error as Error).stack)));
  await world.scheduler.run();
  if (world.violation === null && !isOver) world.fail('the story came to a standstill');
  return world.violation?.message ?? null;
}

/** A step that nothing may stop. */
export async function must({ world }: Centre, name: string, act: (process: SimProcess) => Promise<unknown>): Promise<void> {
  if ((await world.start(world.newName(`${name} `), act).ending) !== 'ended')
    throw new Violation(`${name} fails although nothing went wrong`);
}
