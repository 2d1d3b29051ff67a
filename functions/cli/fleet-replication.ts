/** `kashi fleet replication`: what the ECR registry at headquarters replicates, as the fleet wants it, and what was there before an edge joined. */
import { Command } from 'commander';
import { planReplication, type ReplicationPlan } from '../distribution/replication-plan.ts';
import { type EcrAddress, isReplicaOf, parseEcrHost } from '../domain/ecr-host.ts';
import { KashiError } from '../domain/errors.ts';
import { PRODUCTION_PREFIX } from '../domain/image-release.ts';
import type { Backfill } from '../ports.ts';
import { type FleetOptions, openFleetSession, withFleetOptions } from './fleet-options.ts';
import { printJson, printLines, tableLines } from './output.ts';
import { reachable } from './reachable.ts';
import { makeTemplate, openReplication } from './wiring-registries.ts';

/** Prefix of repositories; templates take it without the slash. */
const REPLICATED = `${PRODUCTION_PREFIX}/`;

interface ReplicationOptions extends FleetOptions {
  readonly apply?: boolean;
}

export function replicationCommand(): Command {
  return withFleetOptions(
    new Command('replication').description('what ECR at headquarters replicates, and what it should; --apply makes it so'),
  )
    .option('--apply', 'write the configuration, prepare edges that join, and send what was pushed before they did')
    .addHelpText(
      'after',
      `\nExamples:\n  kashi fleet replication\n  kashi fleet replication --apply\n\nOnly ${REPLICATED} is replicated, to the Regions of edges whose registry is one of ECR in the same account; kashi copies to any other. Rules of others stay. A registry has one\nconfiguration: let either this command or a stack of CloudFormation write it, not both.`,
    )
    .action(async (options: ReplicationOptions) => {
      await reachable(() => replication(options));
    });
}

async function replication(options: ReplicationOptions): Promise<void> {
  const { fleet } = await openFleetSession(options);
  const hq = parseEcrHost(fleet.file.registryUrl);
  if (hq === null)
    throw new KashiError('usage', 'the registry at headquarters is not one of ECR', {
      where: 'fleet.yaml registry',
      allowed: '<account>.dkr.ecr.<region>.amazonaws.com; kashi itself copies from any other',
      found: fleet.file.registryUrl,
    });
  const edges = fleet.file.edges.flatMap(({ registryUrl, carried }) => (carried ? [] : [parseEcrHost(registryUrl)]));
  const places = edges.filter((one): one is EcrAddress => one !== null && isReplicaOf(one, hq));
  const port = await openReplication(hq);
  const plan = planReplication(
    {
      ...{ ownAccount: hq.account, ownRegion: hq.region, prefixes: [REPLICATED] },
      destinations: places.map(({ account, region }) => ({ region, registryId: account })),
    },
    await port.rules(),
  );
  const backfills = options.apply === true ? await apply(plan, port) : [];
  if (options.json === true) printJson({ ...plan, applied: options.apply === true, backfills });
  else printLines(lines(plan, options.apply === true, backfills));
}

/** Edges are ready before anything is sent to them; what was pushed earlier comes after the rule. */
async function apply({ rules, joined, changed }: ReplicationPlan, port: Awaited<ReturnType<typeof openReplication>>): Promise<Backfill[]> {
  for (const { region, registryId } of joined) await makeTemplate({ account: registryId, region }, PRODUCTION_PREFIX);
  if (changed) await port.write(rules);
  const backfills: Backfill[] = [];
  for (const { region } of joined) backfills.push(await port.startBackfill(region));
  return backfills;
}

function lines({ rules, joined, left, changed }: ReplicationPlan, applied: boolean, backfills: readonly Backfill[]): string[] {
  const rows = rules.map(({ prefixes, destinations }) => [
    prefixes.length === 0 ? '(everything)' : prefixes.join(', '),
    destinations.map(({ region, registryId }) => `${registryId}/${region}`).join(', '),
  ]);
  const names = (list: ReplicationPlan['joined']): string => list.map(({ region }) => region).join(', ');
  return [
    ...tableLines(['repositories', 'go to'], rows, new Set()),
    '',
    ...(joined.length === 0 ? [] : [`Joins: ${names(joined)}`]),
    ...(left.length === 0 ? [] : [`Leaves: ${names(left)}; images there stay`]),
    changed ? (applied ? 'Written.' : 'Not written yet: --apply') : 'The registry says so already.',
    ...backfills.map(({ id, destination }) => `Backfill ${id} sends ${destination} what was pushed before.`),
  ];
}
