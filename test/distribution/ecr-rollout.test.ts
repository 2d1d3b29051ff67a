/**
 * A rollout over ECR, through the SDK's real client: headquarters and an edge are two endpoints, between which the test moves images as AWS does.
 * EventBridge's events come in at the hub; one that is lost is made up for by a poll, and an edge that joins late gets a backfill.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ecrRegistry } from '../../functions/adapters/registry-ecr.ts';
import { ecrReplication } from '../../functions/adapters/registry-ecr-replication.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { viewOf } from '../../functions/distribution/bundle.ts';
import { Coordinator } from '../../functions/distribution/coordinator.ts';
import { copyImage } from '../../functions/distribution/copy-image.ts';
import { POLL_AFTER_MS } from '../../functions/distribution/due.ts';
import type { DeployedRelease } from '../../functions/distribution/fleet.ts';
import { FleetLog } from '../../functions/distribution/fleet-log.ts';
import { makeHub } from '../../functions/distribution/hub.ts';
import { directCopies, managedCopies } from '../../functions/distribution/image-copies.ts';
import { LAUNCH } from '../cli/run.ts';
import { startEcr } from '../support/ecr-endpoint.ts';
import { PLAN } from './fleet-cases.ts';
import { gitWithService, pushRelease, REPOSITORY } from './fleet-lab.ts';
import { testSigner } from './supply.ts';

const ACCOUNT = '123456789012';
const REGION = 'us-west-2';
const TOKEN = 'a-token-of-eventbridge';
const host = (region: string): string => `${ACCOUNT}.dkr.ecr.${region}.amazonaws.com`;
const EVENTS = join(import.meta.dirname, 'registry-events');

async function lab(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-ecr-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [hqSide, edgeSide] = [await startEcr(t, 0), await startEcr(t, 0)];
  const hq = ecrRegistry({ client: hqSide.client, host: host('eu-west-1') });
  const edge = ecrRegistry({ client: edgeSide.client, host: host(REGION) });
  const clock = {
    at: Date.parse('2026-11-20T08:00:00Z'),
    now(): number {
      return this.at;
    },
  };
  const [attester, signer, store] = [testSigner(), testSigner(), memoryStore()];
  const log = await FleetLog.open(store);
  const git = await gitWithService(folder);
  const direct = directCopies({ hq, registryOf: () => edge, clock, wait: async () => {} });
  const replication = ecrReplication({ client: hqSide.client, host: host('eu-west-1') }, ACCOUNT);
  const faults: string[] = [];
  const coordinator = new Coordinator(
    {
      ...{ store, clock, git: git.host, registryOf: () => edge, attestationKey: attester.publicKey, proofDepth: 'read', signer },
      ...{ hooks: { send: async () => ({ accepted: true, text: '' }) }, hookHeaders: () => ({}) },
      copies: managedCopies(replication, direct, () => REGION),
    },
    log,
    { copies: 4, onFault: (command, error) => void faults.push(`${command.kind}: ${(error as Error).message}`) },
  );
  const place = { edge: 'west', site: 'west', registry: host(REGION), bandwidth: null, hook: null, order: 0 };
  await coordinator.record({ type: 'edge_joined', atMs: clock.at, edge: place });
  const release = await pushRelease(hq, attester, 'v1', [{ seed: 'weights', size: 200_000 }]);
  const status = (text: 'IN_PROGRESS' | 'COMPLETE' | 'FAILED' | null, failureCode?: string): void => {
    const one = { region: REGION, registryId: ACCOUNT, status: text, ...(failureCode === undefined ? {} : { failureCode }) };
    hqSide.endpoint.reports['DescribeImageReplicationStatus'] = { replicationStatuses: text === null ? [] : [one] };
  };
  const hub = makeHub({
    ...{ store, clock, keyOf: () => null, heard: async () => {} },
    registryTokens: (name) => (name === 'west' ? [createHash('sha256').update(TOKEN).digest()] : []),
    record: (event) => coordinator.record(event),
  });
  return {
    ...{ hqSide, edgeSide, hq, edge, clock, coordinator, log, release, status, faults },
    promote: async (): Promise<void> => {
      await coordinator.record({ type: 'promoted', atMs: clock.at, requestId: 'one', actor: 'test', release, plan: PLAN });
      await coordinator.settle();
    },
    /** What AWS does between the two. */
    replicate: async (): Promise<void> =>
      void (await copyImage({ from: hq, repository: REPOSITORY, to: edge, digest: release.digest, tag: 'v1' })),
    /** As an API destination posts it. */
    post: async (event: unknown, token = TOKEN): Promise<number> => {
      const head = { method: 'POST', path: '/v1/registries/west', header: () => `Bearer ${token}` };
      const admitted = hub.admit(head);
      if (!('accept' in admitted)) return admitted.status;
      return (await admitted.accept(Buffer.from(JSON.stringify(event)))).status;
    },
    stage: (): string => {
      const { upcoming, settled } = log.state.services['chat']?.targets['west'] ?? {};
      return (upcoming ?? settled)?.stage ?? 'nothing';
    },
  };
}

/** A sample as it is documented, about this release. */
function sample(name: string, { repository, digest, tag }: DeployedRelease): Record<string, unknown> {
  const { event } = JSON.parse(readFileSync(join(EVENTS, `${name}.json`), 'utf8')) as { event: { detail: object } };
  return { ...event, detail: { ...event.detail, 'repository-name': repository, 'image-digest': digest, 'image-tag': tag } };
}

test('an event of EventBridge leads to the proof and the commit; one that comes first, or twice, does no harm', async (t) => {
  const west = await lab(t);
  west.status('IN_PROGRESS');
  await west.promote();
  assert.equal(west.stage(), 'replicating');
  const event = sample('replica-arrived', west.release);
  assert.equal(await west.post(event, 'another-token'), 401);
  assert.equal(await west.post(event), 202);
  await west.coordinator.settle();
  assert.equal(west.stage(), 'pending', 'it was announced before it was there: looked for, not found, and waited for again');
  await west.replicate();
  west.clock.at += 60_000;
  await west.coordinator.settle();
  west.status('COMPLETE');
  assert.equal(await west.post(event), 202);
  await west.coordinator.settle();
  assert.equal(west.stage(), 'committed');
  const { length } = west.log;
  assert.equal(await west.post({ ...event, id: 'again' }), 202);
  await west.coordinator.settle();
  assert.equal(west.log.length, length, 'the second telling says nothing new');
  assert.deepEqual(west.faults, []);
});

test('an event that is lost is made up for by a poll', async (t) => {
  const west = await lab(t);
  west.status('IN_PROGRESS');
  await west.promote();
  await west.replicate();
  west.status('COMPLETE');
  west.clock.at += POLL_AFTER_MS;
  await west.coordinator.settle();
  assert.equal(west.stage(), 'committed');
});

test('an image that was pushed before the edge joined is sent by a backfill', async (t) => {
  const west = await lab(t);
  west.status(null);
  await west.promote();
  assert.equal(west.stage(), 'replicating');
  assert.deepEqual(
    west.hqSide.endpoint.backfills.map(({ destination }) => destination),
    [{ region: REGION, registryId: ACCOUNT }],
  );
  await west.replicate();
  west.status('COMPLETE');
  west.clock.at += POLL_AFTER_MS;
  await west.coordinator.settle();
  assert.equal(west.stage(), 'committed');
});

test('a replication that fails says why and is tried again; other events change nothing', async (t) => {
  const west = await lab(t);
  west.status('IN_PROGRESS');
  await west.promote();
  assert.equal(await west.post(sample('replica-failed', west.release)), 202);
  west.status('FAILED', 'KMS_ACCESS_DENIED');
  await west.coordinator.settle();
  assert.equal(west.stage(), 'pending');
  assert.equal(west.log.state.services['chat']?.targets['west']?.upcoming?.lastFault, 'KMS_ACCESS_DENIED');
  const { length } = west.log;
  for (const name of ['scan-complete', 'referrer-pushed', 'image-storage-class-changed', 'pull-through-cache-failed', 'of-another-source'])
    assert.equal(await west.post(sample(name, west.release)), 202, name);
  assert.equal(west.log.length, length);
});

test('a replica whose attestation did not come along is never committed', async (t) => {
  const west = await lab(t);
  west.status('COMPLETE');
  const from = viewOf(west.hq, { referrers: async () => [] });
  await copyImage({ from, repository: REPOSITORY, to: west.edge, digest: west.release.digest, tag: 'v1' });
  await west.promote();
  assert.equal(west.stage(), 'replicated');
  assert.match(west.log.state.services['chat']?.targets['west']?.upcoming?.lastFault ?? '', /no attestation/);
});

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real command, while this process answers as ECR. */
async function replicationCommand(folder: string, url: string, ...args: string[]): Promise<Said> {
  const env = { ...process.env, AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', NO_COLOR: '1' };
  return await new Promise((resolve) => {
    execFile(process.execPath, [LAUNCH, 'fleet', 'replication', ...args], { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

function writeFleet(folder: string, registry: string, edges: Readonly<Record<string, string>>): void {
  const all = Object.entries(edges).map(([edge, own]) => ({ edge, registry: own }));
  const keys = { attestation_key: 'a.pem', signing_key: 'b.pem' };
  writeFileSync(join(folder, 'fleet.yaml'), JSON.stringify({ registry, git: { repository: 'gitops.git' }, ...keys, edges: all }));
}

test('kashi fleet replication: the configuration as the fleet wants it, edges prepared first, a backfill for those that join', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-ecr-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { endpoint } = await startEcr(t);
  const others = {
    destinations: [{ region: 'us-east-1', registryId: ACCOUNT }],
    repositoryFilters: [{ filter: 'team/', filterType: 'PREFIX_MATCH' }],
  };
  endpoint.rules = { rules: [others] };
  writeFileSync(join(folder, 'kashi.yaml'), '{centre: hq}');
  const edges = {
    west: host(REGION),
    near: host('eu-west-1'),
    other: `210987654321.dkr.ecr.${REGION}.amazonaws.com`,
    plain: 'http://127.0.0.1:5000',
  };
  writeFleet(folder, host('eu-west-1'), edges);
  const looked = await replicationCommand(folder, endpoint.url);
  assert.equal(looked.code, 0, looked.stderr);
  assert.match(looked.stdout, /production-models\/ +123456789012\/us-west-2/);
  assert.match(looked.stdout, /Joins: us-west-2\nNot written yet/);
  assert.deepEqual(endpoint.rules, { rules: [others] });
  const applied = await replicationCommand(folder, endpoint.url, '--apply');
  assert.match(applied.stdout, /Written.\nBackfill backfill-0 sends us-west-2/, applied.stderr);
  const writes = endpoint.calls.filter((call) => /^(Create|Put|Start)/.test(call));
  assert.deepEqual(writes, ['CreateRepositoryCreationTemplate', 'PutReplicationConfiguration', 'StartReplicationBackfill']);
  const again = await replicationCommand(folder, endpoint.url, '--apply');
  assert.match(again.stdout, /says so already/);
  assert.equal(endpoint.calls.filter((call) => /^(Create|Put|Start)/.test(call)).length, 3);
  writeFleet(folder, 'http://127.0.0.1:5101', {});
  const refused = await replicationCommand(folder, endpoint.url);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /is not one of ECR/);
});
