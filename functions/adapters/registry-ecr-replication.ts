/** How ECR replicates: its one configuration, the state of an image at each destination, backfills, and what it finds out about images itself. */
import {
  CreateRepositoryCreationTemplateCommand,
  DescribeImageReplicationStatusCommand,
  DescribeImageScanFindingsCommand,
  DescribeImageSigningStatusCommand,
  DescribeRegistryCommand,
  DescribeReplicationBackfillResultsCommand,
  DescribeRepositoryCreationTemplatesCommand,
  type ECRClient,
  ListReplicationBackfillsCommand,
  PutReplicationConfigurationCommand,
  StartReplicationBackfillCommand,
} from '@aws-sdk/client-ecr';
import { KashiError } from '../domain/errors.ts';
import {
  type Backfill,
  type ImageFindings,
  type ImageReplication,
  NOT_REPLICATED,
  type ReplicaState,
  type ReplicationSettings,
} from '../ports.ts';
import { asked, isNamed } from './registry-ecr.ts';

const STATES: Readonly<Record<string, ReplicaState['status']>> = { IN_PROGRESS: 'in_progress', COMPLETE: 'complete', FAILED: 'failed' };
const BACKFILLS: Readonly<Record<string, Backfill['status']>> = { COMPLETE: 'complete', FAILED: 'failed', STOPPED: 'stopped' };

export interface EcrPlace {
  readonly client: ECRClient;
  readonly host: string;
}

/** The configuration of this account and Region. */
export function ecrReplicationSettings({ client, host }: EcrPlace): ReplicationSettings {
  return {
    rules: async () => {
      const { replicationConfiguration } = await asked(host, client.send(new DescribeRegistryCommand({})));
      return (replicationConfiguration?.rules ?? []).map(({ destinations = [], repositoryFilters = [] }) => ({
        destinations: destinations.map(({ region = '', registryId = '' }) => ({ region, registryId })),
        prefixes: repositoryFilters.map(({ filter = '' }) => filter),
      }));
    },
    write: async (rules) => {
      const replicationConfiguration = {
        rules: rules.map(({ destinations, prefixes }) => ({
          destinations: destinations.map(({ region, registryId }) => ({ region, registryId })),
          ...(prefixes.length === 0
            ? {}
            : { repositoryFilters: prefixes.map((filter) => ({ filter, filterType: 'PREFIX_MATCH' as const })) }),
        })),
      };
      await asked(host, client.send(new PutReplicationConfigurationCommand({ replicationConfiguration })));
    },
  };
}

/** Destinations are Regions of `registryId`. */
export function ecrReplication({ client, host }: EcrPlace, registryId: string): ImageReplication {
  const status = async (repositoryName: string, imageDigest: string): Promise<ReplicaState[]> => {
    const command = new DescribeImageReplicationStatusCommand({ repositoryName, imageId: { imageDigest } });
    const { replicationStatuses = [] } = await asked(host, client.send(command));
    return replicationStatuses.map(({ region = '', status: state = '', failureCode }) => ({
      destination: region,
      status: STATES[state] ?? 'in_progress',
      failureCode: failureCode ?? null,
    }));
  };
  return {
    status,
    // The push set it off. What says nothing about the destination is not on its way: it was pushed before the rule.
    replicate: async (repository, digest, destination) => {
      const found = (await status(repository, digest)).find((one) => one.destination === destination);
      return found ?? { destination, status: 'failed', failureCode: NOT_REPLICATED };
    },
    startBackfill: async (destination) => {
      const command = new StartReplicationBackfillCommand({ destination: { region: destination, registryId } });
      const started = await asked(host, client.send(command)).catch(async (error: unknown) => {
        if (isNamed(error, 'LimitExceededException'))
          throw new KashiError(
            'conflict',
            'too many backfills are under way',
            { where: host, allowed: 'ten in a registry', found: destination },
            { cause: error },
          );
        if (!isNamed(error, 'ReplicationBackfillInProgressException')) throw error;
        return null;
      });
      const id = started?.replicationBackfillId ?? (await runningBackfill({ client, host }, destination));
      return { id, destination, status: 'running', progress: null, failureCodes: [] };
    },
    backfill: async (id) => {
      const command = new DescribeReplicationBackfillResultsCommand({ replicationBackfillId: id, maxResults: 1 });
      const found = await asked(host, client.send(command)).catch((error: unknown) => {
        if (isNamed(error, 'ReplicationBackfillNotFoundException')) return null;
        throw error;
      });
      if (found === null) return null;
      const { destination, status: state = '', progress, failureCode } = found;
      return {
        id,
        destination: destination?.region ?? '',
        status: BACKFILLS[state] ?? 'running',
        progress:
          progress === undefined
            ? null
            : {
                total: progress.totalReplicationCount ?? 0,
                completed: progress.completedReplicationCount ?? 0,
                failed: progress.failedReplicationCount ?? 0,
              },
        failureCodes: [...(failureCode === undefined ? [] : [failureCode]), ...(progress?.failureCodes ?? [])],
      };
    },
  };
}

/** One at a time for each destination: the one that is under way is the one that was asked for. */
async function runningBackfill({ client, host }: EcrPlace, destination: string): Promise<string> {
  const { backfills = [] } = await asked(host, client.send(new ListReplicationBackfillsCommand({})));
  const running = backfills.find((one) => one.destination?.region === destination && BACKFILLS[one.status ?? ''] === undefined);
  if (running?.replicationBackfillId !== undefined) return running.replicationBackfillId;
  throw new KashiError('conflict', 'a backfill ended just now', { where: host, found: destination, hint: 'start it again' });
}

/** Scan and managed signatures of an image. */
export async function ecrFindings({ client, host }: EcrPlace, repositoryName: string, imageDigest: string): Promise<ImageFindings> {
  const imageId = { imageDigest };
  const scan = await asked(host, client.send(new DescribeImageScanFindingsCommand({ repositoryName, imageId, maxResults: 1 }))).catch(
    (error: unknown) => {
      if (isNamed(error, 'ScanNotFoundException')) return null;
      throw error;
    },
  );
  const { signingStatuses = [] } = await asked(host, client.send(new DescribeImageSigningStatusCommand({ repositoryName, imageId })));
  return {
    scan:
      scan === null ? null : { status: scan.imageScanStatus?.status ?? '', counts: { ...scan.imageScanFindings?.findingSeverityCounts } },
    signatures: signingStatuses.map(({ signingProfileArn = '', status = '', failureCode, failureReason }) => ({
      profile: signingProfileArn,
      status: STATES[status] ?? 'in_progress',
      failure: failureCode === undefined ? null : `${failureCode}${failureReason === undefined ? '' : `: ${failureReason}`}`,
    })),
  };
}

/**
 * At an edge, before it is a destination: repositories that replication makes there have immutable tags and are scanned. A template that is there
 * stays as it is. True when it was made.
 */
export async function ensureCreationTemplate({ client, host }: EcrPlace, prefix: string): Promise<boolean> {
  const describe = new DescribeRepositoryCreationTemplatesCommand({ prefixes: [prefix] });
  const found = await asked(host, client.send(describe)).catch((error: unknown) => {
    if (isNamed(error, 'TemplateNotFoundException')) return null;
    throw error;
  });
  if ((found?.repositoryCreationTemplates ?? []).length > 0) return false;
  const command = new CreateRepositoryCreationTemplateCommand({
    prefix,
    description: 'model images, from kashi at HQ',
    appliedFor: ['REPLICATION'],
    imageTagMutability: 'IMMUTABLE',
  });
  await asked(host, client.send(command)).catch((error: unknown) => {
    if (!isNamed(error, 'TemplateAlreadyExistsException')) throw error;
  });
  return true;
}
