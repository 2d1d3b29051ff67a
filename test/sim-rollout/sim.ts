/** npm run sim:rollout: seeds of a simulated fleet, on all cores. Exit code 1 when a promise was broken; the seed plays it again. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Played, play } from './play.ts';
import { makeSupply } from './releases.ts';

const HELP = `Plays rollouts in a simulated fleet: two coordinators that die at any operation, edges that go offline, a store, a Git host and a network
that fail, lose, double and delay, images that arrive corrupt, promotions that race. Then quiet comes, and everything must be in its place.

  npm run sim:rollout                            10,000 seeds
  npm run sim:rollout -- --seeds 500             fewer
  npm run sim:rollout -- --from 4711 --seeds 1   one of them again
  npm run sim:rollout -- --mutants               shows that the simulator notices broken rules

Exit code: 0 every seed came to rest and no promise was broken (with --mutants: every mutant was noticed), 1 otherwise, 2 wrong arguments.
`;

interface Share {
  readonly from: number;
  readonly step: number;
  readonly to: number;
}

interface Report {
  readonly seeds: number;
  readonly commits: number;
  readonly events: number;
  readonly virtualHours: number;
  readonly recorded: Readonly<Record<string, number>>;
  readonly broken: readonly { readonly seed: number; readonly why: string }[];
}

/** Seeds after which a share stops looking: the first broken promise says enough. */
const MAX_BROKEN = 5;
const RELEASES = 4;

async function playShare({ from, step, to }: Share): Promise<Report> {
  const supply = await makeSupply(RELEASES);
  const recorded: Record<string, number> = {};
  const broken: { seed: number; why: string }[] = [];
  let [seeds, commits, events, virtualMs] = [0, 0, 0, 0];
  for (let seed = from; seed < to && broken.length < MAX_BROKEN; seed += step) {
    seeds += 1;
    try {
      const played: Played = await play(seed, supply);
      commits += played.commits;
      events += played.events;
      virtualMs += played.virtualMs;
      for (const [type, count] of played.recorded) recorded[type] = (recorded[type] ?? 0) + count;
    } catch (error) {
      broken.push({ seed, why: (error as Error).message });
    }
  }
  return { seeds, commits, events, virtualHours: virtualMs / 3_600_000, recorded, broken };
}

export async function simulate(from: number, seeds: number, threads: number): Promise<Report> {
  if (threads === 1) return await playShare({ from, step: 1, to: from + seeds });
  const shares = Array.from({ length: threads }, (_, index): Share => ({ from: from + index, step: threads, to: from + seeds }));
  const reports = await Promise.all(
    shares.map(
      (share) =>
        new Promise<Report>((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), { workerData: share });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  const sum = (of: (report: Report) => number): number => reports.reduce((total, report) => total + of(report), 0);
  const types = [...new Set(reports.flatMap(({ recorded }) => Object.keys(recorded)))].sort();
  return {
    seeds: sum((report) => report.seeds),
    commits: sum((report) => report.commits),
    events: sum((report) => report.events),
    virtualHours: sum((report) => report.virtualHours),
    recorded: Object.fromEntries(types.map((type) => [type, sum((report) => report.recorded[type] ?? 0)])),
    broken: reports.flatMap(({ broken }) => broken).sort((left, right) => left.seed - right.seed),
  };
}

function print({ seeds, commits, events, virtualHours, recorded, broken }: Report): void {
  const grouped = (count: number): string => Math.round(count).toLocaleString('en-US');
  console.log(`${grouped(seeds)} seeds, ${grouped(virtualHours)} simulated hours, ${grouped(commits)} commits, ${grouped(events)} events:`);
  console.log(
    `  ${Object.entries(recorded)
      .map(([type, count]) => `${type} ${grouped(count)}`)
      .join(', ')}`,
  );
  for (const { seed, why } of broken) console.log(`BROKEN in seed ${seed}: ${why}`);
  console.log(
    broken.length === 0
      ? 'Every seed came to rest; no promise was broken.'
      : `Again: npm run sim:rollout -- --from ${broken[0]?.seed} --seeds 1`,
  );
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10000' },
      from: { type: 'string', default: '0' },
      mutants: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [from, seeds] = [Number(values.from), Number(values.seeds)];
  if (!Number.isSafeInteger(from) || from < 0 || !Number.isSafeInteger(seeds) || seeds < 1) {
    console.error('--from is a whole number from 0, --seeds one from 1');
    return 2;
  }
  if (values.mutants) return (await import('./mutants.ts')).huntMutants();
  const report = await simulate(from, seeds, seeds < 50 ? 1 : availableParallelism());
  print(report);
  return report.broken.length === 0 ? 0 : 1;
}

if (!isMainThread && workerData !== null) parentPort?.postMessage(await playShare(workerData as Share));
else if (process.argv[1] === import.meta.filename) process.exitCode = await main();
