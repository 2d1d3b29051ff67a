/** A turn of a rollout on a deploy: messages as AWS sends them, promotions of the model registry, edges that fall silent; and the numbers of a release that went live. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { leadNumbers } from '../../functions/cloud/lead-numbers.ts';
import { lookMessage, readRolloutMessage } from '../../functions/cloud/rollout-message.ts';
import { takeTurn } from '../../functions/cloud/rollout-turn.ts';
import type { Edge } from '../../functions/distribution/fleet.ts';
import { FleetLog } from '../../functions/distribution/fleet-log.ts';
import { approve, moveVersion } from '../../functions/distribution/model-registry.ts';
import { promote } from '../../functions/distribution/promotion.ts';
import { BUILT_IN_ACCELERATORS } from '../../functions/domain/accelerator.ts';
import { parsePriceBook } from '../../functions/domain/price-book.ts';
import { parseYaml } from '../../functions/domain/yaml-config.ts';
import { PLAN, Story } from '../distribution/fleet-cases.ts';
import { factsOf, Supply } from '../distribution/supply.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SAMPLES = join(ROOT, 'test', 'distribution', 'registry-events');
const MODEL = 'llama3-8b-sft';
const ACTOR = { by: 'release.bot', reason: 'test' };
const PRICES = `kind: book\ncurrency: CNY\n---\nkind: token_price\nentries:\n  - {id: chat, approved_by: cfo, per_million: {input_uncached: "2", output: "8"}, model: ${MODEL}, effective_from: 2026-01-01}\n`;

const EDGES: readonly Edge[] = ['a', 'b'].map((edge, order) => ({
  edge,
  site: edge,
  registry: `${edge}:5000`,
  bandwidth: null,
  hook: null,
  order,
}));

describe('messages of the rollout queue', () => {
  const sample = (name: string): string => {
    const { event } = JSON.parse(readFileSync(join(SAMPLES, name), 'utf8')) as { event: unknown };
    return JSON.stringify(event);
  };
  const { account, region } = JSON.parse(sample('replica-arrived.json')) as { account: string; region: string };
  const edgesAt = new Map([[`${account}/${region}`, ['a', 'b']]]);

  test('a replica of a Region is one of every edge that pulls from there', () => {
    const read = readRolloutMessage(sample('replica-arrived.json'), edgesAt, 5);
    assert.ok(read.is === 'events');
    assert.deepEqual(
      read.events.map((event) => [event.type, 'edge' in event ? event.edge : '', event.atMs]),
      [
        ['replicated', 'a', 5],
        ['replicated', 'b', 5],
      ],
    );
    const other = JSON.parse(sample('replica-failed.json')) as { account: string; region: string };
    const failed = readRolloutMessage(sample('replica-failed.json'), new Map([[`${other.account}/${other.region}`, ['c']]]), 5);
    assert.ok(failed.is === 'events');
    assert.deepEqual(
      failed.events.map(({ type }) => type),
      ['replication_failed'],
    );
  });

  test('a push at headquarters and a look are reasons to look; anything else is refused', () => {
    assert.deepEqual(readRolloutMessage(sample('replica-arrived.json'), new Map(), 5), { is: 'events', events: [] });
    assert.deepEqual(readRolloutMessage(lookMessage('live', 5), edgesAt, 5), { is: 'events', events: [] });
    assert.deepEqual(readRolloutMessage('{', edgesAt, 5), { is: 'refused', why: 'it is not JSON' });
    assert.deepEqual(readRolloutMessage('7', edgesAt, 5), { is: 'refused', why: 'it is 7' });
    assert.deepEqual(readRolloutMessage(sample('of-another-source.json'), edgesAt, 5), { is: 'refused', why: 'not of source aws.ecr' });
    for (const name of readdirSync(SAMPLES)) assert.doesNotThrow(() => readRolloutMessage(sample(name), edgesAt, 5), name);
  });
});

async function promoted(t: TestContext): Promise<Supply> {
  const supply = new Supply(t);
  await promoteNext(supply, 'v1.0.0');
  return supply;
}

async function promoteNext(supply: Supply, version: string): Promise<void> {
  const { release, layoutFolder } = await supply.build(
    version,
    { 'a.safetensors': `weights of ${version}` },
    { serve: 'x' },
    undefined,
    factsOf(version),
  );
  await supply.push(release, layoutFolder);
  await moveVersion(supply, MODEL, version, { to: 'staging', ...ACTOR, evidence: null });
  await approve(supply, MODEL, version, 'production', { by: 'Zhao Min', reason: 'evaluated' });
  const priceBook = parsePriceBook(parseYaml(PRICES, 'p.yaml'), 'p.yaml', {
    timeZone: 'Asia/Shanghai',
    currency: 'CNY',
    catalog: BUILT_IN_ACCELERATORS,
  });
  const rules = { metrics: {}, approvals: 1, pricedAs: null } as unknown as Parameters<typeof promote>[0]['rules'];
  const { store, clock, registry, signer } = supply;
  const { judgements } = await promote({ store, clock, registry, trustedKey: signer.publicKey, priceBook, rules }, MODEL, version, ACTOR);
  assert.deepEqual(
    judgements.filter(({ passed }) => !passed),
    [],
  );
}

async function turnOf(supply: Supply, edges = EDGES) {
  const log = await FleetLog.open(supply.store);
  const coordinator = { record: (event: Parameters<FleetLog['record']>[0]) => log.record(event), settle: () => Promise.resolve(0) };
  return { store: supply.store, clock: supply.clock, log, coordinator, edges, plan: PLAN, offlineMs: 900_000 };
}

describe('a turn', () => {
  test('rolls out what the model registry has in production, once, and lets nobody be overruled', async (t) => {
    const supply = await promoted(t);
    const turn = await turnOf(supply);
    const first = await takeTurn(turn, []);
    assert.deepEqual([first.recorded, first.measures.edges, first.measures.underWay], [3, 2, 2]);
    assert.deepEqual([(await takeTurn(turn, [])).recorded, (await takeTurn(await turnOf(supply), [])).recorded], [0, 0]);
    await promoteNext(supply, 'v2.0.0');
    await takeTurn(turn, []);
    const wanted = (): string | undefined =>
      turn.log.state.services[MODEL]?.releases[turn.log.state.services[MODEL]?.wanted ?? '']?.modelVersion;
    assert.equal(wanted(), 'v2.0.0');
    const older = Object.values(turn.log.state.services[MODEL]?.releases ?? {}).find(({ modelVersion }) => modelVersion === 'v1.0.0');
    const by = { atMs: supply.clock.now(), requestId: 'a person', actor: 'Li Wei' };
    await turn.log.record({ ...by, type: 'promoted', release: older!, plan: PLAN });
    assert.equal(wanted(), 'v1.0.0');
    assert.equal((await takeTurn(turn, [])).recorded, 0, 'a person went back to v1.0.0 after v2.0.0 was promoted');
    assert.equal(wanted(), 'v1.0.0');
  });

  test('takes edges in and out with fleet.yaml, and calls offline who was heard of and fell silent', async (t) => {
    const supply = new Supply(t);
    await takeTurn(await turnOf(supply), []);
    const turn = await turnOf(supply, EDGES.slice(0, 1));
    await takeTurn(turn, []);
    assert.deepEqual(Object.keys(turn.log.state.edges), ['a']);
    await supply.store.putIfAbsent('heard/a', Buffer.from('{}'));
    assert.equal((await takeTurn(turn, [])).measures.offline, 0);
    const later = { ...turn, clock: { now: () => Date.now() + 16 * 60_000 } };
    assert.equal((await takeTurn(later, [])).measures.offline, 1);
    assert.equal((await takeTurn(later, [])).recorded, 0);
  });
});

test('the numbers of a release that went live: by edge and wave, work apart, with its instants', () => {
  const story = new Story(['a', 'b']);
  story.promote('v1');
  story.wait(4_000);
  story.replicated('a', 'v1');
  story.wait(1_000);
  story.prove('a', 'v1');
  story.wait(10_000);
  story.commit();
  story.wait(5_000);
  assert.equal(leadNumbers(story.fleet, { ...story.about('a', 'v1'), type: 'synced' }), null);
  story.live('a', 'v1');
  const lead = leadNumbers(story.fleet, { ...story.about('a', 'v1'), type: 'live' });
  assert.deepEqual(lead?.dimensions, { rollout: 'chat', edge: 'a', wave: '1' });
  assert.deepEqual(lead?.seconds, {
    ...{ LeadTimeSeconds: 20, LeadWorkSeconds: 10, LeadReplicateSeconds: 4, LeadProveSeconds: 1, LeadWaveSeconds: 0, LeadSoakSeconds: 0 },
    ...{ LeadQueueSeconds: 10, LeadSyncSeconds: 5, LeadStartSeconds: 0 },
  });
  assert.deepEqual(
    Object.keys(lead?.facts ?? {}).filter((name) => /^t\d/.test(name)),
    ['t0_promoted', 't5_replicated', 't6_verified', 't7_committed', 't9_live'],
  );
});

test('a measure is a metrics document of its own, with its dimensions beside the stage', () => {
  const program = `
    import { observed } from ${JSON.stringify(join(ROOT, 'functions/handlers/observe.ts'))};
    const handler = observed('hub', async (_event, { measure, count }) => {
      measure({ rollout: 'chat', edge: 'a', wave: '1' }, { LeadTimeSeconds: 20 }, { release: 'chat-v1' });
      count({ LeadTimeSeconds: 20 });
      return 1;
    });
    await handler({}, { awsRequestId: 'r', functionName: 'hub', invokedFunctionArn: 'a', memoryLimitInMB: '128' });`;
  const env = { ...process.env, POWERTOOLS_SERVICE_NAME: 'prod', POWERTOOLS_TRACE_ENABLED: 'false' };
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { env, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const documents = stdout
    .split('\n')
    .filter((line) => line.includes('CloudWatchMetrics'))
    .map((line) => JSON.parse(line));
  const told = documents.map(
    ({
      _aws: {
        CloudWatchMetrics: [one],
      },
      ...rest
    }) => [one.Dimensions, one.Metrics.map(({ Name, Unit }: { Name: string; Unit: string }) => [Name, Unit]), rest],
  );
  assert.deepEqual(told, [
    [
      [['service', 'rollout', 'edge', 'wave']],
      [['LeadTimeSeconds', 'Seconds']],
      { service: 'prod', rollout: 'chat', edge: 'a', wave: '1', LeadTimeSeconds: 20, release: 'chat-v1' },
    ],
    [[['service']], [['LeadTimeSeconds', 'None']], { service: 'prod', LeadTimeSeconds: 20 }],
  ]);
});
