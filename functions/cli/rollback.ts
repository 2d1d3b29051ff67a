/** `kashi rollback <service>`: back to what ran before, by one commit; no byte moves. */
import { Command } from 'commander';
import { KashiError } from '../domain/errors.ts';
import { type FleetOptions, openFleetSession, order, orderOf, withOrderOptions } from './fleet-options.ts';
import { EXIT, printJson, printLines } from './output.ts';

interface RollbackOptions extends FleetOptions {
  readonly to?: string;
  readonly edge?: readonly string[];
  readonly reason: string;
}

export function rollbackCommand(): Command {
  return withOrderOptions(
    new Command('rollback')
      .description('edges go back to the release that they ran before: it is still in their registries, so nothing is copied')
      .argument('<service>', 'service: the name of the model')
      .option('--to <version>', 'version to go back to (default: whatever each edge ran before)')
      .option('--edge <edge...>', 'only these edges')
      .requiredOption('--reason <text>', 'why; kept in the log'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi rollback chat --reason "wrong answers"\n  kashi rollback chat --to v2.0.0 --edge eu-west-1 --reason "slow"\n\nA freeze does not hold a rollback. kashi fleet run carries it out.',
    )
    .action(async (service: string, options: RollbackOptions) => {
      process.exitCode = await rollback(service, options);
    });
}

async function rollback(service: string, options: RollbackOptions): Promise<number> {
  const session = await openFleetSession(options);
  const known = session.log.state.services[service];
  if (known === undefined)
    throw new KashiError('not_found', 'nothing of this service was rolled out', {
      allowed: Object.keys(session.log.state.services).sort().join(', '),
      found: service,
    });
  const releases = Object.values(known.releases);
  const to = options.to === undefined ? null : releases.find(({ modelVersion }) => modelVersion === options.to);
  if (to === undefined)
    throw new KashiError('not_found', 'no edge has this version any more', {
      where: '--to',
      allowed: releases.map(({ modelVersion }) => modelVersion).join(', '),
      found: options.to ?? '',
    });
  const stranger = (options.edge ?? []).find((edge) => session.log.state.edges[edge] === undefined);
  if (stranger !== undefined)
    throw new KashiError('not_found', 'there is no such edge', {
      where: '--edge',
      allowed: Object.keys(session.log.state.edges).sort().join(', '),
      found: stranger,
    });
  const recorded = await order(session, {
    ...orderOf(session, options),
    ...{
      type: 'rollback',
      service,
      releaseId: to?.releaseId ?? null,
      edges: options.edge ?? null,
      reason: options.reason,
      plan: session.fleet.file.rollout,
    },
  });
  const run = session.log.state.services[service]?.runs[0];
  const edges = run?.kind === 'rollback' ? run.waves.flat() : [];
  if (options.json === true) printJson({ recorded, generation: run?.generation ?? 0, edges });
  else
    printLines([
      recorded
        ? `Generation ${run?.generation}: ${edges.length === 0 ? 'no edge has it; what was on its way is held' : `${edges.join(', ')} go back`}`
        : 'There is nothing to go back to',
    ]);
  return recorded ? EXIT.ok : EXIT.checkFailed;
}
