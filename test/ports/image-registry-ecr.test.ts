/** ECR through the SDK's real client, over HTTP: the suite of image registries, and what only ECR has. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { ecrRegistry } from '../../functions/adapters/registry-ecr.ts';
import {
  ecrFindings,
  ecrReplication,
  ecrReplicationSettings,
  ensureCreationTemplate,
} from '../../functions/adapters/registry-ecr-replication.ts';
import { planReplication } from '../../functions/distribution/replication-plan.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { TransientStoreError } from '../../functions/ports.ts';
import { startEcr } from '../support/ecr-endpoint.ts';
import { blob, bytesOf, imageRegistrySuite, pushImage } from './image-registry-suite.ts';

const HOST = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
const KIB = 1024;

imageRegistrySuite('ecr', { repositories: true, checksBlobs: true, referrers: true }, async () => {
  const { endpoint, client } = await startEcr({ after });
  // What the API cannot do, the registry's own endpoint does: both see the same layers.
  const mount = async (repository: string, digest: string, from: string): Promise<boolean> => {
    const bytes = endpoint.repositories.get(from)?.layers.get(digest);
    if (bytes === undefined) return false;
    if (!endpoint.repositories.has(repository))
      endpoint.perform('CreateRepository', { repositoryName: repository, imageTagMutability: 'IMMUTABLE' });
    endpoint.repositories.get(repository)?.layers.set(digest, bytes);
    return true;
  };
  return ecrRegistry({ client, host: HOST, mount });
});

test('parts are in order, as large as may be but for the last, and a part that fails is no layer', async (t) => {
  const { endpoint, client } = await startEcr(t, 64 * KIB);
  const registry = ecrRegistry({ client, host: HOST, partBytes: 64 * KIB });
  const source = blob(randomBytes(200 * KIB));
  assert.deepEqual(await registry.putBlob('a/b', source), { how: 'uploaded', bytesMoved: 200 * KIB });
  assert.deepEqual(
    [...endpoint.uploads.values()].at(-1)?.map(({ length }) => length),
    [64 * KIB, 64 * KIB, 64 * KIB, 8 * KIB],
  );
  assert.ok((await bytesOf(registry.readBlob('a/b', source))).length === 200 * KIB);
  endpoint.faults.set('UploadLayerPart', ['500']);
  const other = blob(randomBytes(100 * KIB));
  await assert.rejects(registry.putBlob('a/b', other), TransientStoreError);
  assert.equal(await registry.blobBytes('a/b', other.digest), null);
  assert.equal((await registry.putBlob('a/b', other)).how, 'uploaded');
});

test('a service that fails or throttles is transient; what it refuses is not', async (t) => {
  const { endpoint, client } = await startEcr(t);
  const registry = ecrRegistry({ client, host: HOST });
  for (const fault of ['500', 'ThrottlingException']) {
    endpoint.faults.set('BatchGetImage', [fault]);
    await assert.rejects(registry.manifest('a/b', 'v1'), TransientStoreError, fault);
  }
  endpoint.faults.set('BatchGetImage', ['AccessDeniedException']);
  await assert.rejects(registry.manifest('a/b', 'v1'), /injected/);
});

test('a tag that another writer took in between is a conflict', async (t) => {
  const { endpoint, client } = await startEcr(t);
  const registry = ecrRegistry({ client, host: HOST });
  await pushImage(registry, 'a/b', Buffer.from('first'), 'v1');
  endpoint.faults.set('PutImage', ['ImageTagAlreadyExistsException']);
  await assert.rejects(
    pushImage(registry, 'a/b', Buffer.from('second'), 'v2'),
    (error) => error instanceof KashiError && error.code === 'conflict',
  );
});

const OWN = { ownAccount: '123456789012', ownRegion: 'eu-west-1', prefixes: ['production-models/'] };
const at = (region: string, registryId = OWN.ownAccount) => ({ region, registryId });

test('the configuration is desired state: rules of others stay, new destinations are named, the second time changes nothing', async (t) => {
  const { endpoint, client } = await startEcr(t);
  const settings = ecrReplicationSettings({ client, host: HOST });
  endpoint.rules = {
    rules: [{ destinations: [at('us-east-1')], repositoryFilters: [{ filter: 'other-team/', filterType: 'PREFIX_MATCH' }] }],
  };
  const first = planReplication({ ...OWN, destinations: [at('us-west-2'), at('ap-east-1')] }, await settings.rules());
  assert.deepEqual([first.changed, first.joined], [true, [at('ap-east-1'), at('us-west-2')]]);
  await settings.write(first.rules);
  assert.deepEqual(
    (await settings.rules()).map(({ prefixes, destinations }) => [prefixes, destinations.map(({ region }) => region)]),
    [
      [['other-team/'], ['us-east-1']],
      [['production-models/'], ['ap-east-1', 'us-west-2']],
    ],
  );
  const again = planReplication({ ...OWN, destinations: [at('ap-east-1'), at('us-west-2')] }, await settings.rules());
  assert.deepEqual([again.changed, again.joined, again.left], [false, [], []]);
  const fewer = planReplication({ ...OWN, destinations: [at('ap-east-1')] }, await settings.rules());
  assert.deepEqual([fewer.changed, fewer.left], [true, [at('us-west-2')]]);
});

test('quotas and what never works are refused before AWS is asked', () => {
  const regions = (count: number) => Array.from({ length: count }, (_item, index) => at(`eu-north-${index}`));
  const plan =
    (changes: object, found: Parameters<typeof planReplication>[1] = []) =>
    () =>
      planReplication({ ...OWN, destinations: [], ...changes }, found);
  assert.equal(planReplication({ ...OWN, destinations: regions(25) }, []).rules.length, 1);
  assert.throws(plan({ destinations: regions(26) }), /too many destinations/);
  assert.throws(plan({ destinations: regions(25) }, [{ destinations: [at('us-east-1')], prefixes: ['x/'] }]), /with those of others/);
  const rules = (count: number) =>
    Array.from({ length: count }, (_item, index) => ({ destinations: [at('us-east-1')], prefixes: [`team-${index}/`] }));
  assert.equal(planReplication({ ...OWN, destinations: [at('us-east-1')] }, rules(9)).rules.length, 10);
  assert.throws(plan({ destinations: [at('us-east-1')] }, rules(10)), /too many rules/);
  assert.equal(planReplication({ ...OWN, destinations: [at('us-east-1')], maxRules: 25 }, rules(10)).rules.length, 11);
  assert.throws(plan({ destinations: [at('eu-west-1')] }), /to itself/);
  assert.doesNotThrow(plan({ destinations: [at('eu-west-1', '210987654321')] }));
  assert.throws(plan({ destinations: [at('cn-north-1')] }), /partitions/);
  assert.throws(plan({ prefixes: [] }), /replicates everything/);
  assert.throws(plan({ prefixes: Array.from({ length: 101 }, (_item, index) => `p${index}/`) }), /too many prefixes/);
});

test('states of replicas and backfills in the words of the port', async (t) => {
  const { endpoint, client } = await startEcr(t);
  const replication = ecrReplication({ client, host: HOST }, OWN.ownAccount);
  const digest = `sha256:${'a'.repeat(64)}`;
  endpoint.reports['DescribeImageReplicationStatus'] = {
    replicationStatuses: [
      { region: 'us-west-2', registryId: OWN.ownAccount, status: 'COMPLETE' },
      { region: 'ap-east-1', registryId: OWN.ownAccount, status: 'FAILED', failureCode: 'KMS_ACCESS_DENIED' },
    ],
  };
  assert.deepEqual(await replication.status('a/b', digest), [
    { destination: 'us-west-2', status: 'complete', failureCode: null },
    { destination: 'ap-east-1', status: 'failed', failureCode: 'KMS_ACCESS_DENIED' },
  ]);
  assert.equal((await replication.replicate('a/b', digest, 'us-west-2')).status, 'complete');
  assert.equal((await replication.replicate('a/b', digest, 'sa-east-1')).failureCode, 'NOT_REPLICATED');
  const started = await replication.startBackfill('us-west-2');
  assert.deepEqual(started, { id: 'backfill-0', destination: 'us-west-2', status: 'running', progress: null, failureCodes: [] });
  assert.equal((await replication.startBackfill('us-west-2')).id, 'backfill-0', 'the one that is under way');
  Object.assign(endpoint.backfills[0] ?? {}, {
    status: 'COMPLETE',
    progress: { totalReplicationCount: 3, completedReplicationCount: 2, failedReplicationCount: 1, failureCodes: ['KMS_ACCESS_DENIED'] },
  });
  assert.deepEqual(await replication.backfill('backfill-0'), {
    id: 'backfill-0',
    destination: 'us-west-2',
    status: 'complete',
    progress: { total: 3, completed: 2, failed: 1 },
    failureCodes: ['KMS_ACCESS_DENIED'],
  });
  assert.equal(await replication.backfill('backfill-9'), null);
  for (let index = 0; index < 10; index += 1) await replication.startBackfill(`eu-north-${index}`);
  await assert.rejects(replication.startBackfill('eu-north-10'), /too many backfills/);
});

test('scan and signatures; a template is made once', async (t) => {
  const { endpoint, client } = await startEcr(t);
  const place = { client, host: HOST };
  endpoint.reports['DescribeImageSigningStatus'] = {
    signingStatuses: [
      { signingProfileArn: 'arn:a', status: 'COMPLETE' },
      { signingProfileArn: 'arn:b', status: 'FAILED', failureCode: 'AccessDenied', failureReason: 'signer:SignPayload' },
    ],
  };
  const digest = `sha256:${'a'.repeat(64)}`;
  const signatures = [
    { profile: 'arn:a', status: 'complete', failure: null },
    { profile: 'arn:b', status: 'failed', failure: 'AccessDenied: signer:SignPayload' },
  ];
  assert.deepEqual(await ecrFindings(place, 'a/b', digest), { scan: null, signatures });
  endpoint.reports['DescribeImageScanFindings'] = {
    imageScanStatus: { status: 'COMPLETE' },
    imageScanFindings: { findingSeverityCounts: { CRITICAL: 1 } },
  };
  assert.deepEqual((await ecrFindings(place, 'a/b', digest)).scan, { status: 'COMPLETE', counts: { CRITICAL: 1 } });
  assert.equal(await ensureCreationTemplate(place, 'production-models'), true);
  assert.equal(await ensureCreationTemplate(place, 'production-models'), false);
  assert.deepEqual(
    endpoint.templates.map(({ appliedFor, imageTagMutability }) => [appliedFor, imageTagMutability]),
    [[['REPLICATION'], 'IMMUTABLE']],
  );
});
