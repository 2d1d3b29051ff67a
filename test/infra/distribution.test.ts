/** The registries of a stage: desired state within the quotas, one owner each, replicas that are kept as they came; and how events reach the rollout. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseStage, readStage, type StageConfig } from '../../infra/config.ts';
import { desiredReplication, refuseSharedRegistries } from '../../infra/registries.ts';
import { type Resource, synthesise } from './templates.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FLEET = join(ROOT, 'deploy', 'fleet-aws');
const folder = mkdtempSync(join(tmpdir(), 'kashi-stages-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const ACCOUNT = '111122223333';
const HQ = { account: ACCOUNT, region: 'ap-southeast-1' };
/** More of them than a registry replicates to. */
const REGIONS = Array.from({ length: 26 }, (_, index) => `${'abcdefghijklmnopqrstuvwxyz'[index]}x-south-1`);

/** A stage file, and a fleet whose registries are these. */
function stage(name: string, text: string, edit: (fleet: string) => string = (fleet) => fleet): StageConfig {
  const fleet = join(folder, `fleet-${name}`);
  cpSync(FLEET, fleet, { recursive: true });
  writeFileSync(join(fleet, 'fleet.yaml'), edit(readFileSync(join(FLEET, 'fleet.yaml'), 'utf8')));
  const file = join(folder, `${name}.yaml`);
  writeFileSync(
    file,
    `notify: [a@example.com]\ncentre: ${join(ROOT, 'functions/cli/templates')}\n${text}\ndistribution: {fleet: ./fleet-${name}}\n`,
  );
  return parseStage(name, readFileSync(file, 'utf8'), file);
}

const PLACE = `account: '${ACCOUNT}'\nregion: ap-southeast-1`;

/** Message and details of the KashiError. */
function refused(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    const { code, message, details } = error as { code: string; message: string; details: Readonly<Record<string, string>> };
    return `${code}: ${message}; ${Object.entries(details ?? {})
      .map(([name, text]) => `${name} ${text}`)
      .join('; ')
      .replaceAll(folder, '')}`;
  }
  return 'nothing was refused';
}

describe('one owner for a registry', () => {
  test('two stages in one account and Region are refused, whichever of their Regions it is', () => {
    const [one, two] = [stage('one', PLACE), stage('two', PLACE)];
    assert.equal(
      refused(() => refuseSharedRegistries([one, two])),
      'config_invalid: two stages declare the settings of one registry, and the later deploy would replace those of the other; ' +
        `where registry of account and Region ${ACCOUNT}/ap-southeast-1; allowed one stage with distribution for an account and Region; another account for the other; found stages one and two`,
    );
    const swapped = stage('swapped', `account: '${ACCOUNT}'\nregion: eu-central-1`, (fleet) =>
      fleet.replace('ap-southeast-1', 'eu-central-1').replace('"111122223333.dkr.ecr.eu-central-1', '"111122223333.dkr.ecr.us-east-1'),
    );
    assert.match(
      refused(() => refuseSharedRegistries([one, swapped])),
      /registry of account and Region 111122223333\/eu-central-1.+stages one and swapped/,
    );
    const elsewhere = stage('elsewhere', "account: '444455556666'\nregion: ap-southeast-1", (fleet) =>
      fleet.replaceAll(ACCOUNT, '444455556666'),
    );
    assert.doesNotThrow(() => refuseSharedRegistries([one, elsewhere, one]));
  });

  test('a stage is compared with the others of its folder when it is read', () => {
    stage('left', PLACE);
    stage('right', PLACE);
    for (const name of ['one', 'two', 'swapped', 'elsewhere']) rmSync(join(folder, `${name}.yaml`), { force: true });
    assert.match(
      refused(() => readStage('left', folder)),
      /two stages declare .+ stages left and right/,
    );
    rmSync(join(folder, 'right.yaml'));
    assert.equal(readStage('left', folder).stage, 'left');
  });

  test('the registry of headquarters is that of the stage, and edges are Regions of its account', () => {
    assert.match(
      refused(() => stage('nowhere', '')),
      /that of the stage; .+ state both in \/nowhere\.yaml; found 111122223333\.dkr\.ecr\.ap-southeast-1/,
    );
    assert.match(
      refused(() => stage('other', "account: '444455556666'\nregion: eu-west-1")),
      /allowed 444455556666\.dkr\.ecr\.eu-west-1\./,
    );
    const foreign = (fleet: string): string => fleet.replace(`${ACCOUNT}.dkr.ecr.ap-southeast-3`, '444455556666.dkr.ecr.ap-southeast-3');
    assert.match(
      refused(() => stage('foreign', PLACE, foreign)),
      /another Region of the account .+ edge edge-jakarta/,
    );
    assert.match(
      refused(() => stage('typing', PLACE, (fleet) => fleet.replace('eu-central-1.amazonaws', 'EU.amazonaws'))),
      /config_invalid/,
    );
  });
});

describe('what headquarters replicates', () => {
  const { distribution } = readStage('prod');
  assert.ok(distribution !== null);

  test('is production, to the Region of each edge of ECR, beside the rules of others', () => {
    const others = [{ prefixes: ['base/'], destinations: [{ account: ACCOUNT, region: 'us-east-1' }] }];
    assert.deepEqual(desiredReplication(HQ, { ...distribution, other_replication: others }), [
      { prefixes: ['base/'], destinations: [{ registryId: ACCOUNT, region: 'us-east-1' }] },
      {
        prefixes: ['production-models/'],
        destinations: [
          { region: 'ap-southeast-3', registryId: ACCOUNT },
          { region: 'eu-central-1', registryId: ACCOUNT },
        ],
      },
    ]);
  });

  test('stays within the quotas of AWS', () => {
    const edges = Array.from({ length: 26 }, (_, index) => ({
      ...distribution.fleet.edges[0]!,
      edge: `e${index}`,
      registryUrl: `${ACCOUNT}.dkr.ecr.${REGIONS[index]}.amazonaws.com`,
    }));
    const crowded = { ...distribution, fleet: { ...distribution.fleet, edges } };
    assert.match(
      refused(() => desiredReplication(HQ, crowded)),
      /too many destinations, .+ allowed 25; found 26/,
    );
    assert.equal(
      desiredReplication(HQ, { ...crowded, fleet: { ...crowded.fleet, edges: edges.slice(0, 25) } })[0]?.destinations.length,
      25,
    );
    const across = {
      ...distribution,
      fleet: { ...distribution.fleet, edges: [{ ...edges[0]!, registryUrl: `${ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn` }] },
    };
    assert.match(
      refused(() => desiredReplication(HQ, across)),
      /images do not cross partitions/,
    );
    const others = Array.from({ length: 10 }, (_, index) => ({
      prefixes: [`p${index}/`],
      destinations: [{ account: ACCOUNT, region: 'us-east-1' }],
    }));
    assert.match(
      refused(() => desiredReplication(HQ, { ...distribution, other_replication: others })),
      /too many rules, .+ allowed 10; found 11/,
    );
  });
});

describe('templates of a stage with distribution', () => {
  const { resources, stacks } = synthesise('prod');
  const ofType = (type: string): Resource[] => [...resources.values()].filter(({ Type }) => Type === type);
  const app = stacks.storage.node.root.node.children;
  const stackNamed = (name: string) => app.find(({ node }) => node.id === `kashi-prod-${name}`) as import('aws-cdk-lib').Stack;

  test('headquarters waits for its edges: their templates stand before the first replica', () => {
    const waitsFor = stackNamed('registry').dependencies.map(({ node }) => node.id);
    assert.deepEqual(waitsFor.sort(), ['kashi-prod-edge-ap-southeast-3', 'kashi-prod-edge-eu-central-1']);
    assert.equal(ofType('AWS::ECR::ReplicationConfiguration').length, 1);
  });

  test('tags never move, and nothing deletes an image that has one, or any at an edge', () => {
    const templates = ofType('AWS::ECR::RepositoryCreationTemplate').map(({ Properties }) => Properties);
    assert.ok(templates.length >= 3);
    for (const { Prefix, ImageTagMutability, LifecyclePolicy, AppliedFor } of templates) {
      assert.equal(ImageTagMutability, 'IMMUTABLE', Prefix);
      if (AppliedFor.includes('REPLICATION')) assert.equal(LifecyclePolicy, undefined, Prefix);
      const rules =
        LifecyclePolicy === undefined ? [] : (JSON.parse(LifecyclePolicy) as { rules: { selection: { tagStatus: string } }[] }).rules;
      for (const { selection } of rules) assert.equal(selection.tagStatus, 'untagged', Prefix);
    }
  });

  test('events of production images, here and at the edges, come to one queue; a lost one is made good every minute', () => {
    const rules = ofType('AWS::Events::Rule')
      .map(({ Properties }) => Properties)
      .filter(({ EventPattern }) => EventPattern.source.includes('aws.ecr'));
    const targets = rules.map(({ Targets }) =>
      /RolloutWork/.test(JSON.stringify(Targets))
        ? 'queue'
        : /event-bus\/kashi-prod-distribution/.test(JSON.stringify(Targets))
          ? 'headquarters'
          : 'nowhere',
    );
    assert.deepEqual(targets.sort(), ['headquarters', 'headquarters', 'queue', 'queue']);
    for (const { EventPattern } of rules) assert.deepEqual(EventPattern.detail['repository-name'], [{ prefix: 'production-models/' }]);
    const schedules = ofType('AWS::Scheduler::Schedule').map(
      ({ Properties }) => `${Properties.ScheduleExpression} ${JSON.stringify(Properties.Target)}`,
    );
    assert.ok(schedules.some((text) => text.startsWith('rate(1 minute)') && text.includes('RolloutWork')));
  });

  test('keys that edges trust and secrets that others know survive their stack', () => {
    const own = [...resources].filter(([id]) => /^(EdgeKey|AttestationKey|HookSecrets|FleetSecrets)[0-9A-F]{8}$/.test(id));
    assert.deepEqual(own.map(([, { Type }]) => Type).sort(), [
      'AWS::KMS::Key',
      'AWS::KMS::Key',
      'AWS::SecretsManager::Secret',
      'AWS::SecretsManager::Secret',
    ]);
    for (const [id, { DeletionPolicy }] of own) assert.equal(DeletionPolicy, 'Retain', id);
  });

  test('only the project with Docker is privileged, and no secret is in the environment of a build', () => {
    const projects = ofType('AWS::CodeBuild::Project').map(({ Properties }) => Properties);
    assert.deepEqual(projects.map(({ Name, Environment }) => [Name, Environment.PrivilegedMode]).sort(), [
      ['kashi-prod-base', true],
      ['kashi-prod-build', false],
    ]);
    for (const { Environment } of projects) assert.doesNotMatch(JSON.stringify(Environment), /secret|token|password/i);
  });
});

test('a stage without distribution has none of it', () => {
  const { resources } = synthesise('dev');
  const types = new Set([...resources.values()].map(({ Type }) => Type));
  for (const type of ['AWS::ECR::ReplicationConfiguration', 'AWS::CodeBuild::Project', 'AWS::Events::EventBus'])
    assert.ok(!types.has(type), type);
});
