/**
 * How fast a proven image becomes a commit: `npm run measure:distribution`, for a quiet machine. Real docker-registries, a real repository; wall
 * time, and CPU time of kashi and of git, which what else the machine does leaves alone. Needs Debian's docker-registry; CPU of git needs Linux.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ociRegistry } from '../../functions/adapters/registry-oci.ts';
import { localStore } from '../../functions/adapters/store-local.ts';
import type { DeployedRelease, RolloutPlan } from '../../functions/distribution/fleet.ts';
import type { FleetEvent } from '../../functions/distribution/fleet-event.ts';
import { FleetLog, fleetEvents } from '../../functions/distribution/fleet-log.ts';
import { commitWave } from '../../functions/distribution/gitops.ts';
import { percentile, readTimeline } from '../../functions/distribution/lead-time.ts';
import { cpuSeconds } from '../support/cpu-time.ts';
import { dockerRegistryBinary, startDockerRegistry } from '../support/docker-registry.ts';
import { Story } from './fleet-cases.ts';
import { FleetLab, gitWithService, pushRelease } from './fleet-lab.ts';

const RELEASES = Number(process.argv[2] ?? 40);
const ONE_WAVE: RolloutPlan = {
  waves: [{ size: { percent: 100 }, maxFailed: 0, soakMs: 0 }],
  ...{ slo: null, windows: [], settleMs: 600_000, gatherMs: 0, stuckMs: 1_800_000, rollbackWindowMs: 86_400_000 },
};
const TICKS_A_SECOND = 100;

interface Span {
  readonly wallMs: number;
  readonly kashiMs: number;
  readonly gitMs: number;
}

/** CPU seconds of git processes that this one has started, the ended ones too; 0 where there is no /proc. */
function gitSeconds(): number {
  try {
    const stat = (pid: string): string[] => {
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return [/\((.*)\)/.exec(text)?.[1] ?? '', ...text.slice(text.lastIndexOf(')') + 2).split(' ')];
    };
    const ticks = (fields: readonly string[], from: number): number => Number(fields[from]) + Number(fields[from + 1]);
    const alive = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const running = alive.flatMap((pid) => {
      try {
        const fields = stat(pid);
        return fields[0] === 'git' && fields[2] === String(process.pid) ? [ticks(fields, 12) + ticks(fields, 14)] : [];
      } catch {
        return [];
      }
    });
    return (running.reduce((sum, one) => sum + one, 0) + ticks(stat('self'), 14)) / TICKS_A_SECOND;
  } catch {
    return 0;
  }
}

async function spanOf(act: () => Promise<unknown>): Promise<Span> {
  const [kashi, git, startedMs] = [cpuSeconds(), gitSeconds(), performance.now()];
  await act();
  return { wallMs: performance.now() - startedMs, kashiMs: (cpuSeconds() - kashi) * 1_000, gitMs: (gitSeconds() - git) * 1_000 };
}

function line(what: string, wall: readonly number[], cpu: string): void {
  const [p50, p95] = [percentile(wall, 50), percentile(wall, 95)].map((ms) => `${(ms ?? 0).toFixed(1).padStart(8)} ms`);
  console.log(`${what.padEnd(44)} p50 ${p50}   p95 ${p95}   ${cpu}`);
}

/** `total` is over `count` acts; the two clocks of CPU are said a time. */
function cpuText(spans: readonly Span[], count: number): string {
  const sum = (name: 'kashiMs' | 'gitMs'): string => (spans.reduce((all, span) => all + span[name], 0) / count).toFixed(1);
  return `CPU: kashi ${sum('kashiMs')} ms, git ${sum('gitMs')} ms`;
}

/** Release after release through a registry of an edge: when it had the image, when it was proven, when it was in Git. */
async function measureEvents(folder: string, binary: string): Promise<DeployedRelease> {
  const [hq, edge] = [await startDockerRegistry(binary, join(folder, 'hq')), await startDockerRegistry(binary, join(folder, 'edge'))];
  const lab = await FleetLab.open(join(folder, 'files'), hq.url);
  let release: DeployedRelease | null = null;
  try {
    await lab.join('edge-a', edge.url, 0);
    const all = await spanOf(async () => {
      for (let n = 0; n < RELEASES; n += 1) {
        const next = await pushRelease(ociRegistry({ url: hq.url }), lab.signer, `v${n}`, [{ seed: `server ${n}`, size: 4_096 }]);
        release = next;
        await lab.promote(next, ONE_WAVE);
        await lab.until('live', () => lab.liveDigest('edge-a') === next.digest);
      }
    });
    const { times } = await readTimeline(fleetEvents(lab.store));
    const between = (from: 'replicatedMs' | 'verifiedMs', to: 'verifiedMs' | 'committedMs'): number[] =>
      times.map((one) => (one[to] ?? 0) - (one[from] ?? 0));
    line(`image at the edge → proven (n=${RELEASES})`, between('replicatedMs', 'verifiedMs'), '');
    line('proven → Git commit', between('verifiedMs', 'committedMs'), '');
    line('replication event → Git commit', between('replicatedMs', 'committedMs'), 'goal: p95 < 50 ms');
    line(
      'promote → live, copy and agent included',
      times.map(({ promotedMs, liveMs }) => (liveMs ?? 0) - promotedMs),
      cpuText([all], RELEASES),
    );
  } finally {
    await lab.close();
    await Promise.all([hq.stop(), edge.stop()]);
  }
  return release!;
}

async function measureCommits(folder: string, release: DeployedRelease): Promise<void> {
  for (const count of [1, 500]) {
    const { host } = await gitWithService(join(folder, `commits-${count}`));
    const spans: Span[] = [];
    for (let generation = 1; generation <= 20; generation += 1) {
      const edges = Array.from({ length: count }, (_, index) => ({ edge: `edge-${index}`, registry: `registry-${index}:5000`, release }));
      const command = { kind: 'commit', service: 'chat', generation, wave: 0, edges } as const;
      spans.push(await spanOf(async () => await commitWave(host, { now: () => Date.now() }, command)));
    }
    const goal = count === 500 ? ', goal: < 100 ms' : '';
    line(
      `${count} edge${count === 1 ? '' : 's'} in one commit (n=20)`,
      spans.map(({ wallMs }) => wallMs),
      cpuText(spans, 20) + goal,
    );
  }
}

/** What a process that starts pays: the whole log, and the same from the checkpoint beside it. */
async function measureLog(folder: string): Promise<void> {
  const store = localStore(join(folder, 'log'));
  const story = new Story(Array.from({ length: 20 }, (_, index) => `edge-${index}`));
  for (let n = 0; n < 20; n += 1) {
    story.promote(`v${n}`, ONE_WAVE);
    story.through(`v${n}`, Object.keys(story.fleet.edges));
  }
  const log = await FleetLog.open(store);
  for (const event of story.events as readonly FleetEvent[]) await log.record(event);
  const spans: Span[] = [];
  for (let n = 0; n < 5; n += 1) spans.push(await spanOf(async () => await FleetLog.open(store)));
  line(
    `opening a log of ${log.length} events (n=5)`,
    spans.map(({ wallMs }) => wallMs),
    cpuText(spans, 5),
  );
}

const binary = dockerRegistryBinary();
if (binary === null) process.exit(1);
const folder = mkdtempSync(join(tmpdir(), 'kashi-speed-'));
try {
  console.log(`${cpus().length} processors, load ${loadavg()[0]?.toFixed(2)} when it began; Node ${process.version}\n`);
  const release = await measureEvents(folder, binary);
  await measureCommits(folder, release);
  await measureLog(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
