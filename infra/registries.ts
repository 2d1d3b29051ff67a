/**
 * Which registries of ECR a stage writes the settings of. An account has one registry in a Region, and that registry has one replication
 * configuration, one scanning and one signing configuration: whoever deploys last would silently replace those of the other.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DesiredReplication, planReplication } from '../functions/distribution/replication-plan.ts';
import { type EcrAddress, parseEcrHost } from '../functions/domain/ecr-host.ts';
import { KashiError } from '../functions/domain/errors.ts';
import { type FleetFile, parseFleet } from '../functions/domain/fleet-file.ts';
import { PRODUCTION_PREFIX } from '../functions/domain/image-release.ts';
import { parseOneYaml } from '../functions/domain/yaml-config.ts';
import type { ReplicationRule } from '../functions/ports.ts';
import type { DistributionConfig, StageConfig } from './config.ts';

interface Place {
  readonly account: string | null;
  readonly region: string | null;
}

/** fleet.yaml of a folder. Errors: KashiError config_missing, config_invalid: an ECR that is not the stage's own, edges of ECR without ECR at headquarters. */
export function readFleet(folder: string, { account, region }: Place, stageFile: string): FleetFile {
  const file = join(folder, 'fleet.yaml');
  if (!existsSync(file))
    throw new KashiError('config_missing', 'there is no fleet', { where: `${stageFile} distribution.fleet`, found: file });
  const fleet = parseFleet(parseOneYaml(readFileSync(file, 'utf8'), file), file);
  const hq = parseEcrHost(fleet.registryUrl);
  const own = `${account ?? '<account>'}.dkr.ecr.${region ?? '<region>'}.amazonaws.com`;
  if (hq !== null && (hq.account !== account || hq.region !== region))
    throw new KashiError('config_invalid', 'the registry at headquarters is that of the stage', {
      where: `${file} registry`,
      allowed: account === null || region === null ? `the account and region of the stage: state both in ${stageFile}` : own,
      found: fleet.registryUrl,
    });
  for (const { edge, registryUrl } of fleet.edges) {
    const place = parseEcrHost(registryUrl);
    if (place !== null && place.account !== hq?.account)
      throw new KashiError('config_invalid', 'an edge of ECR is another Region of the account of headquarters', {
        where: `${file} edge ${edge}`,
        allowed: hq === null ? 'ECR at headquarters too' : `${hq.account}.dkr.ecr.<region>.amazonaws.com`,
        found: registryUrl,
      });
  }
  return fleet;
}

/** Regions of edges, without that of headquarters. Sorted. */
export function edgeRegions({ fleet }: Pick<DistributionConfig, 'fleet'>): string[] {
  const hq = parseEcrHost(fleet.registryUrl);
  const regions = fleet.edges.flatMap(({ registryUrl }) => parseEcrHost(registryUrl)?.region ?? []);
  return [...new Set(regions)].filter((region) => region !== hq?.region).sort();
}

/** What the registry at headquarters replicates. Errors: KashiError config_invalid for what the quotas of AWS refuse. */
export function desiredReplication(hq: EcrAddress, { fleet, other_replication: others }: DistributionConfig): readonly ReplicationRule[] {
  const desired: DesiredReplication = {
    ownAccount: hq.account,
    ownRegion: hq.region,
    destinations: edgeRegions({ fleet }).map((region) => ({ region, registryId: hq.account })),
    prefixes: [`${PRODUCTION_PREFIX}/`],
  };
  const theirs = others.map(({ prefixes, destinations }) => ({
    prefixes,
    destinations: destinations.map(({ account: registryId, region }) => ({ region, registryId })),
  }));
  return planReplication(desired, theirs).rules;
}

/** Errors: KashiError config_invalid when two stages would write the settings of one registry. */
export function refuseSharedRegistries(stages: readonly StageConfig[]): void {
  const owners = new Map<string, string>();
  for (const { stage, distribution } of stages)
    for (const registry of distribution === null ? [] : registriesOf(distribution)) {
      const other = owners.get(registry);
      if (other !== undefined && other !== stage)
        throw new KashiError(
          'config_invalid',
          'two stages declare the settings of one registry, and the later deploy would replace those of the other',
          {
            where: `registry of account and Region ${registry}`,
            allowed: 'one stage with distribution for an account and Region; another account for the other',
            found: `stages ${other} and ${stage}`,
          },
        );
      owners.set(registry, stage);
    }
}

function registriesOf({ fleet }: DistributionConfig): string[] {
  const hq = parseEcrHost(fleet.registryUrl);
  return hq === null ? [] : [hq.region, ...edgeRegions({ fleet })].map((region) => `${hq.account}/${region}`);
}
