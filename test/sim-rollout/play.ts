/** One seed: hours of chaos, then quiet, and then everything must be where it should be. */
import { isDeepStrictEqual } from 'node:util';
import type { Edge, Fleet, RolloutPlan } from '../../functions/distribution/fleet.ts';
import { FleetLog } from '../../functions/distribution/fleet-log.ts';
import { SimCentre, Violation } from './centre.ts';
import type { Supply } from './releases.ts';
import { SimEdge } from './sim-edge.ts';

const MINUTE_MS = 60_000;
/** Quiet rounds of a minute until everything must have settled: longer than any timeout and retry. */
const QUIET_ROUNDS = 300;

export interface Played {
  readonly events: number;
  readonly commits: number;
  readonly virtualMs: number;
  readonly recorded: ReadonlyMap<string, number>;
}

/** Errors: Violation when a promise is broken, or the centre does not come to rest. */
export async function play(seed: number, supply: Supply): Promise<Played> {
  const centre = new SimCentre(seed, supply);
  const { chance } = centre;
  const horizonMs = chance.between(60, 180) * MINUTE_MS;
  const startMs = centre.nowMs;
  const names = Array.from({ length: chance.between(1, 6) }, (_, index) => `edge-${index}`);
  for (const name of names) centre.edges.set(name, new SimEdge(name));
  for (const process of centre.processes) every(centre, 5_000, 90_000, horizonMs, () => centre.tick(process));
  for (const [index, name] of names.entries()) join(centre, name, index > 0 && chance.in10000(1_500) ? chance.below(horizonMs) : 0, index);
  for (const edge of centre.edges.values()) every(centre, 20_000, 180_000, horizonMs, () => centre.edgeStep(edge));
  promotions(centre, horizonMs);
  disturbances(centre, horizonMs);
  await centre.playUntil(startMs + horizonMs);
  await comeToRest(centre);
  const log = await FleetLog.open(centre.store);
  return { events: log.length, commits: centre.git.commits, virtualMs: centre.nowMs - startMs, recorded: centre.recorded };
}

function every(centre: SimCentre, leastMs: number, mostMs: number, untilMs: number, run: () => Promise<void>): void {
  const startMs = centre.nowMs;
  const again = async (): Promise<void> => {
    if (centre.nowMs - startMs < untilMs) centre.after(centre.chance.between(leastMs, mostMs), again);
    await run();
  };
  centre.after(centre.chance.below(mostMs), again);
}

function join(centre: SimCentre, name: string, afterMs: number, order: number): void {
  const hook = centre.chance.in10000(5_000) ? name : null;
  const edge: Edge = { edge: name, site: name, registry: `${name}:5000`, bandwidth: null, hook, order };
  // Told until it is known: a configuration is read again and again.
  const tell = async (): Promise<void> => {
    await centre.record({ type: 'edge_joined', atMs: centre.nowMs, edge });
    if (centre.faults) centre.after(10 * MINUTE_MS, tell);
  };
  centre.after(afterMs, tell);
}

function planOf(centre: SimCentre): RolloutPlan {
  const { chance } = centre;
  const maxFailed = chance.below(2);
  const soakMs = chance.one([0, 0, 2 * MINUTE_MS]);
  const sizes = chance.one([[{ percent: 100 }], [{ edges: 1 }, { percent: 100 }], [{ edges: 1 }, { percent: 40 }, { percent: 100 }]]);
  return {
    waves: sizes.map((size) => ({ size, maxFailed, soakMs })),
    slo: null,
    windows: [],
    settleMs: 20 * MINUTE_MS,
    gatherMs: chance.one([0, 5 * MINUTE_MS]),
    stuckMs: 30 * MINUTE_MS,
    rollbackWindowMs: chance.one([0, 24 * 60 * MINUTE_MS]),
  };
}

function promotions(centre: SimCentre, horizonMs: number): void {
  const { chance } = centre;
  const count = chance.between(1, centre.supply.releases.length);
  const times = Array.from({ length: count }, () => chance.below(Math.floor(horizonMs * 0.8)));
  // Two at the very same time.
  if (count > 1 && chance.in10000(3_000)) times[1] = times[0]!;
  for (const [index, release] of centre.supply.releases.slice(0, count).entries()) {
    const plan = planOf(centre);
    if (index > 0 && chance.in10000(2_500))
      for (const edge of centre.edges.values()) if (chance.in10000(4_000)) edge.bad.add(release.digest);
    const promote = async (): Promise<void> => {
      await centre.record({ type: 'promoted', atMs: centre.nowMs, requestId: `p${index}`, actor: 'ci', release, plan });
    };
    // A request that gets no answer is sent again, and so is one that did.
    for (const late of [0, chance.below(MINUTE_MS), chance.below(20 * MINUTE_MS)]) centre.after(times[index]! + late, promote);
  }
  for (let n = chance.below(3); n > 0; n -= 1) {
    const plan = planOf(centre);
    const to = chance.in10000(2_000) ? chance.one(centre.supply.releases).releaseId : null;
    centre.after(chance.below(horizonMs), () =>
      centre.record({
        ...{ type: 'rollback', atMs: centre.nowMs, requestId: `r${n}`, actor: 'operator', service: 'chat', releaseId: to },
        ...{ edges: chance.in10000(3_000) ? [chance.one([...centre.edges.keys()])] : null, reason: 'looks bad', plan },
      }),
    );
  }
}

function disturbances(centre: SimCentre, horizonMs: number): void {
  const { chance } = centre;
  for (const edge of centre.edges.values()) {
    if (!chance.in10000(4_000)) continue;
    const atMs = chance.below(horizonMs);
    const turn = (online: boolean) => () => {
      edge.online = online;
    };
    centre.after(atMs, turn(false));
    centre.after(atMs + chance.between(1, 90) * MINUTE_MS, turn(true));
  }
  const request = { actor: 'operator' };
  if (chance.in10000(2_500)) {
    const scope = chance.one(['', 'chat', '@edge-0']);
    const atMs = chance.below(horizonMs);
    centre.after(atMs, () => centre.record({ ...request, type: 'frozen', atMs: centre.nowMs, requestId: 'f1', scope }));
  }
  if (chance.in10000(2_000)) {
    const digest = chance.one(centre.supply.releases).digest;
    centre.after(chance.below(horizonMs), () =>
      centre.record({ ...request, type: 'pinned', atMs: centre.nowMs, requestId: 'n1', service: 'chat', edge: 'edge-0', digest }),
    );
  }
  if (chance.in10000(2_000))
    centre.after(chance.below(horizonMs), () =>
      centre.record({ ...request, type: 'paused', atMs: centre.nowMs, requestId: 'h1', service: 'chat' }),
    );
}

/** No faults, everybody is there, nothing is held. */
async function comeToRest(centre: SimCentre): Promise<void> {
  centre.faults = false;
  for (const edge of centre.edges.values()) {
    edge.online = true;
    join(centre, edge.name, 0, Number(edge.name.slice(5)));
  }
  const free = { actor: 'operator', atMs: centre.nowMs };
  centre.after(1, async () => {
    for (const process of centre.processes) await centre.tick(process);
    for (const scope of ['', 'chat', '@edge-0']) await centre.record({ ...free, type: 'thawed', requestId: `t${scope}`, scope });
    await centre.record({ ...free, type: 'pinned', requestId: 'n2', service: 'chat', edge: 'edge-0', digest: null });
    await centre.record({ ...free, type: 'resumed', requestId: 'h2', service: 'chat' });
  });
  let wrong = 'nothing was played';
  for (let round = 0; round < QUIET_ROUNDS; round += 1) {
    centre.after(0, async () => {
      for (const process of centre.processes) await centre.tick(process);
      for (const edge of centre.edges.values()) await centre.edgeStep(edge);
    });
    await centre.playUntil(centre.nowMs + MINUTE_MS);
    const coordinator = centre.processes[0]?.coordinator ?? null;
    await coordinator?.begin();
    const found = coordinator === null ? 'nobody coordinates' : unrest(centre, coordinator.state);
    // What a process that lived through all of it has in memory must become what the log says to one that begins.
    if (found === null && isDeepStrictEqual(coordinator?.state, (await FleetLog.open(centre.store)).state)) return;
    wrong = found ?? 'the log says something else than a coordinator believes';
  }
  throw new Violation(`it does not come to rest: ${wrong}`);
}

/** What is not yet where it should be; null when everything is. */
function unrest(centre: SimCentre, fleet: Fleet): string | null {
  const service = fleet.services['chat'];
  // Every promotion may have been lost on its way in.
  if (service === undefined) return null;
  const newest = service.runs[0]!;
  for (const edge of centre.edges.values()) {
    const target = service.targets[edge.name];
    if (fleet.edges[edge.name] === undefined || (target === undefined && service.wanted !== null)) return `${edge.name} has not joined`;
    if (target === undefined) continue;
    const { settled, upcoming } = target;
    if (upcoming !== null && upcoming.exit === null) return `${edge.name} is ${upcoming.stage} in ${upcoming.generation}`;
    if (newest.kind === 'promotion' && newest.state === 'distributing' && settled?.releaseId !== newest.releaseId)
      return `${edge.name} lacks the release`;
    if (settled === null) continue;
    if (settled.stage !== 'live' && !settled.unhealthy) return `${edge.name} is ${settled.stage}`;
    const deployed = centre.git.deployed(edge.name);
    if (deployed?.digest !== settled.digest || deployed.generation !== settled.generation)
      return `${edge.name}: Git says something else than the log`;
    if (edge.running?.digest !== settled.digest) return `${edge.name} runs something else`;
  }
  return null;
}
