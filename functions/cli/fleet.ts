/** `kashi fleet …`: rolls releases out to the edges, and shows where they are. */
import { Command } from 'commander';
import { Coordinator } from '../distribution/coordinator.ts';
import type { FleetEvent } from '../distribution/fleet-event.ts';
import { makeHub } from '../distribution/hub.ts';
import { fleetMeasures } from '../distribution/measures.ts';
import { faultText } from '../distribution/perform.ts';
import { productionOrders } from '../distribution/production.ts';
import { releaseToRollOut } from '../distribution/releases.ts';
import { KashiError } from '../domain/errors.ts';
import { isModelName, parseModelVersion } from '../domain/model-version.ts';
import { type HttpService, TransientStoreError } from '../ports.ts';
import { METRICS_CONTENT_TYPE, metricsCommand, metricsLines, recentTimes } from './fleet-metrics.ts';
import {
  type FleetOptions,
  type FleetSession,
  openFleetSession,
  order,
  orderOf,
  withFleetOptions,
  withOrderOptions,
} from './fleet-options.ts';
import { replicationCommand } from './fleet-replication.ts';
import { edgeStatuses, type FleetReport, fleetLines, leadTimes } from './fleet-report.ts';
import { EXIT, printJson, printLines } from './output.ts';
import { isLoopback, parseListen } from './receive.ts';
import { DEFAULT_LISTEN, listenHttp, openCentre } from './wiring.ts';
import { createFleetKey, openFleet } from './wiring-fleet.ts';

const TICK_MS = 1_000;
const FOLLOW_MS = 5_000;

const EXAMPLES = `
Examples:
  kashi fleet init                                the key that signs messages to edges; once
  kashi fleet run --listen 127.0.0.1:4320         all the time: copy, prove, commit, announce
  kashi fleet promote chat:v2.1.0
  kashi fleet status --watch`;

export function fleetCommand(): Command {
  const command = new Command('fleet').description(
    'releases on their way to the edges: proven there, then committed to Git, wave after wave',
  );
  command.addHelpText('after', EXAMPLES);
  command.addCommand(statusCommand());
  command.addCommand(metricsCommand());
  command.addCommand(promoteCommand());
  command.addCommand(runCommand());
  command.addCommand(replicationCommand());
  for (const one of switchCommands()) command.addCommand(one);
  command.addCommand(
    withFleetOptions(new Command('init').description('make the key that signs messages to edges (ECDSA P-256)')).action(
      (options: FleetOptions) => {
        const { made, publicKeyPath } = createFleetKey(openFleet(openCentre(options), options.fleet));
        printLines([`${made ? 'Made' : 'Kept'} the key; agents need ${publicKeyPath} as hq_key.`]);
      },
    ),
  );
  return command;
}

function statusCommand(): Command {
  return withFleetOptions(
    new Command('status').description('every edge: what is live, what comes, what it waits for; and how long it took'),
  )
    .option('--watch', 'again every second, until Ctrl-C')
    .option('--wait <seconds>', 'for what is wanted to be live everywhere; exit 1 when it is not in time', parseSeconds)
    .action(async (options: FleetOptions & { watch?: boolean; wait?: number }) => {
      const session = await openFleetSession(options);
      const untilMs = session.centre.clock.now() + (options.wait ?? 0) * 1_000;
      for (;;) {
        await session.log.refresh();
        const report = await reportOf(session);
        const isThere = report.edges.length > 0 && report.edges.every(({ state }) => state === 'live' || state === 'skipped');
        if (options.wait !== undefined) process.exitCode = isThere ? EXIT.ok : EXIT.checkFailed;
        if (options.wait !== undefined && !isThere && session.centre.clock.now() < untilMs) {
          await new Promise((resolve) => setTimeout(resolve, TICK_MS));
          continue;
        }
        if (options.json === true) printJson(report);
        else printLines(options.watch === true ? onScreen(fleetLines(report)) : fleetLines(report));
        if (options.watch !== true) return;
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      }
    });
}

function parseSeconds(text: string): number {
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds > 0) return seconds;
  throw new KashiError('usage', 'not a number of seconds', { where: '--wait', allowed: '1 to 999999', found: text });
}

/** Written over what is there, line by line, so that nothing flickers; what a longer table left below goes. */
function onScreen(lines: readonly string[]): string[] {
  return [`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`];
}

async function reportOf({ centre, log }: FleetSession): Promise<FleetReport> {
  const nowMs = centre.clock.now();
  const edges = edgeStatuses(log.state, nowMs);
  return {
    at: new Date(nowMs).toISOString(),
    events: log.length,
    frozen: log.state.frozen,
    measures: fleetMeasures(log.state, nowMs),
    edges,
    lead_times: await leadTimes(centre.store),
  };
}

function promoteCommand(): Command {
  return withOrderOptions(
    new Command('promote').description('roll an admitted release out to every edge').argument('<model[:version]>', 'default: the newest'),
  )
    .option('--variant <name>', 'which image of the version')
    .action(async (name: string, options: FleetOptions & { variant?: string }) => {
      const session = await openFleetSession(options);
      const { model, version } = isModelName(name) ? { model: name, version: null } : parseModelVersion(name);
      const release = await releaseToRollOut(session.centre.store, model, version, options.variant ?? null);
      const recorded = await order(session, { ...orderOf(session, options), type: 'promoted', release, plan: session.fleet.file.rollout });
      const { generation = 0 } = session.log.state.services[release.service] ?? {};
      if (options.json === true) printJson({ recorded, release_id: release.releaseId, digest: release.digest, generation });
      else
        printLines([
          recorded
            ? `Generation ${generation}: ${model} ${release.modelVersion} goes out`
            : `${model} ${release.modelVersion} is what every edge should run already`,
        ]);
    });
}

function runCommand(): Command {
  return withFleetOptions(new Command('run').description('do what is due: copy, prove, commit, announce; and answer edges over HTTP'))
    .option('--listen <host:port>', 'where agents and registries reach it; port 0 takes any free one')
    .option('--once', 'until nothing more is due, then end')
    .option('--follow', 'roll out what kashi model promote puts into production, without being told')
    .addHelpText(
      'after',
      `\nEndpoints: POST /v1/edges/<edge> (signed polls and reports of agents), POST /v1/registries/<edge> (notifications, events of EventBridge; bearer token), GET /metrics (Prometheus), GET /healthz.\nSeveral may run on one store. Traffic is plain HTTP and signed; put a TLS proxy in front of it on any network that is not yours.`,
    )
    .action(async (options: RunOptions) => {
      process.exitCode = await runFleet(options);
    });
}

interface RunOptions extends FleetOptions {
  readonly listen?: string;
  readonly once?: boolean;
  readonly follow?: boolean;
}

async function runFleet(options: RunOptions): Promise<number> {
  const session = await openFleetSession(options);
  const { centre, fleet, log } = session;
  const note = (line: string): void => void process.stderr.write(`${new Date(centre.clock.now()).toISOString()} ${line}\n`);
  let faults = 0;
  const coordinator = new Coordinator(await fleet.world(), log, {
    copies: 8,
    onFault: (command, error) => {
      faults += 1;
      note(`${command.kind} failed, tried again later: ${faultText(error)}`);
    },
    onEvent: (event) => note(eventText(event)),
  });
  const follow = async (): Promise<void> => {
    if (options.follow !== true) return;
    try {
      for (const event of await productionOrders(centre.store, log.state, fleet.file.rollout)) await coordinator.record(event);
    } catch (error) {
      // The next look may find it.
      if (!(error instanceof TransientStoreError)) throw error;
    }
  };
  await follow();
  if (options.once === true) {
    const events = await coordinator.settle();
    if (options.json === true) printJson({ events, faults });
    return faults === 0 ? EXIT.ok : EXIT.checkFailed;
  }
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const presence = presenceOf(session, coordinator);
  const listening = options.listen === undefined ? null : await listenHub(session, coordinator, presence.heard, options.listen);
  if (listening !== null) printLines([`Listening on port ${listening.port}. Stop with Ctrl-C.`]);
  const timer = setInterval(() => void presence.look(), TICK_MS);
  const following = setInterval(() => void follow(), FOLLOW_MS);
  try {
    await coordinator.run(stop.signal, TICK_MS);
  } finally {
    clearInterval(timer);
    clearInterval(following);
    await listening?.close();
  }
  return EXIT.ok;
}

/** Who was heard of, and who fell silent. An edge whose agent was never heard of is not called offline: it may have none. */
function presenceOf({ centre, fleet, log }: FleetSession, coordinator: Coordinator) {
  const seenMs = new Map<string, number>();
  return {
    heard: async (edge: string, atMs: number): Promise<void> => {
      seenMs.set(edge, atMs);
      if (log.state.edges[edge]?.offlineSinceMs != null) await coordinator.record({ type: 'edge_online', atMs, edge });
    },
    look: async (): Promise<void> => {
      const atMs = centre.clock.now();
      for (const [edge, lastMs] of seenMs)
        if (atMs - lastMs > fleet.file.offlineMs && log.state.edges[edge]?.offlineSinceMs === null)
          await coordinator.record({ type: 'edge_offline', atMs, edge });
    },
  };
}

async function listenHub(
  session: FleetSession,
  coordinator: Coordinator,
  heard: (edge: string, atMs: number) => Promise<void>,
  address: string,
): ReturnType<typeof listenHttp> {
  const { centre, fleet } = session;
  const { host, port } = parseListen(address);
  if (!isLoopback(host) && fleet.file.edges.some(({ publicKey }) => publicKey === null))
    throw new KashiError('usage', 'an address that others can reach needs a public key for every edge', {
      where: 'fleet.yaml',
      allowed: 'public_key',
    });
  const hub = makeHub({
    store: centre.store,
    clock: centre.clock,
    keyOf: fleet.keyOf,
    registryTokens: fleet.registryTokens,
    record: (event) => coordinator.record(event),
    heard,
  });
  return await listenHttp(withMetrics(session, hub), { ...DEFAULT_LISTEN, host, port });
}

/** Numbers only: names of services, edges and versions, no digest and no address. */
function withMetrics({ centre, log }: FleetSession, hub: HttpService): HttpService {
  const answer = (status: number, body: string) => ({ status, headers: { 'content-type': METRICS_CONTENT_TYPE }, body });
  const accept = async () => {
    const lines = metricsLines(fleetMeasures(log.state, centre.clock.now()), await recentTimes(centre.store));
    return answer(200, `${lines.join('\n')}\n`);
  };
  return {
    admit: (head) => (head.method === 'GET' && head.path === '/metrics' ? { maxBodyBytes: 0, refuse: answer, accept } : hub.admit(head)),
  };
}

function eventText(event: FleetEvent): string {
  const parts = [
    'edge' in event ? (typeof event.edge === 'string' ? event.edge : event.edge.edge) : '',
    'edges' in event ? (event.edges ?? []).join(', ') : '',
  ];
  const detail = 'fault' in event ? event.fault : 'commit' in event ? event.commit.slice(0, 12) : 'reason' in event ? event.reason : '';
  return [event.type, ...parts, detail].filter((text) => text !== '').join(' ');
}

function switchCommands(): Command[] {
  const one = (
    name: string,
    description: string,
    args: readonly (readonly [string, string])[],
    make: (order: ReturnType<typeof orderOf>, args: readonly string[]) => FleetEvent,
  ) => {
    const command = withOrderOptions(new Command(name).description(description));
    for (const [argument, about] of args) command.argument(argument, about);
    return command.action(async (...given: unknown[]) => {
      const options = given.at(-2) as FleetOptions;
      const session = await openFleetSession(options);
      const event = make(
        orderOf(session, options),
        given.slice(0, -2).map((value) => String(value ?? '')),
      );
      const recorded = await order(session, event);
      if (options.json === true) printJson({ recorded });
      else printLines([recorded ? `${name}: done` : `${name}: nothing to change`]);
    });
  };
  const scope = ['[scope]', 'a service, @edge, or nothing for everything'] as const;
  const service = ['<service>', 'service'] as const;
  const edge = ['<edge>', 'edge'] as const;
  return [
    one('freeze', 'no promotion is committed any more; rollbacks are', [scope], (by, [text = '']) => ({
      ...by,
      type: 'frozen',
      scope: text,
    })),
    one('thaw', 'lift a freeze', [scope], (by, [text = '']) => ({ ...by, type: 'thawed', scope: text })),
    one('pause', 'stop a rollout before its next commit', [service], (by, [text = '']) => ({ ...by, type: 'paused', service: text })),
    one('resume', 'let it go on, and what was held back', [service], (by, [text = '']) => ({ ...by, type: 'resumed', service: text })),
    one('pin', 'an edge keeps this digest', [service, edge, ['<digest>', 'sha256:…']], (by, [text = '', at = '', digest = '']) => ({
      ...by,
      type: 'pinned',
      service: text,
      edge: at,
      digest,
    })),
    one('unpin', 'an edge catches up again', [service, edge], (by, [text = '', at = '']) => ({
      ...by,
      type: 'pinned',
      service: text,
      edge: at,
      digest: null,
    })),
    one('replay', 'post a message again that was given up', [edge, ['<sequence>', 'its number']], ({ atMs }, [at = '', number = '']) => ({
      type: 'replayed',
      atMs,
      edge: at,
      sequence: Number(number),
    })),
  ];
}
