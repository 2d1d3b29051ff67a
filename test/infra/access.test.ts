/** Who may do what, read from the templates: RELIABILITY 5.2, stated here once more and not taken from infra/access.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readSqlFiles } from '../../functions/adapters/sql-files.ts';
import { FUNCTIONS, type FunctionName } from '../../functions/contract.ts';
import { DATASETS } from '../../functions/datasets.ts';
import { REFERENCE } from '../../functions/domain/reference.ts';
import { loadModels, PUBLIC_VIEWS } from '../../functions/warehouse/run.ts';
import { type Resource, synthesise } from './templates.ts';

const { resources } = synthesise('prod');

/** `<action> <place>`: a place is `bucket/prefix*`, or the kind of the resource. */
type Right = string;

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: Readonly<Record<string, { readonly 's3:prefix': string | readonly string[] }>>;
}

const many = (value: string | readonly string[]): readonly string[] => (typeof value === 'string' ? [value] : value);

/** Rights of one function, sorted. */
function rightsOf(name: FunctionName): Right[] {
  const made = [...resources.values()].find(
    ({ Type, Properties }) => Type === 'AWS::Lambda::Function' && Properties.FunctionName === `kashi-prod-${name}`,
  );
  return rightsOfRole(made?.Properties.Role['Fn::GetAtt'][0] as string);
}

function rightsOfRole(role: string): Right[] {
  const own = resources.get(role) as Resource;
  assert.equal(own.Properties.ManagedPolicyArns, undefined, 'no policy that AWS manages');
  const policies = [...resources.values()].filter(
    ({ Type, Properties }) => Type === 'AWS::IAM::Policy' && JSON.stringify(Properties.Roles).includes(`"${role}"`),
  );
  const statements = policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[]);
  const rights = statements.flatMap((statement) => {
    assert.equal(statement.Effect, 'Allow');
    return many(statement.Action).flatMap((action) => placesOf(statement).map((place) => `${action} ${place}`));
  });
  return [...new Set(rights)].filter((right) => !/^(logs|xray):/.test(right)).sort();
}

/** Repositories by Region, keys, secrets and queues of the distribution stack. */
function placeOfDistribution(text: string): string | null {
  const [, region, images] = /:ecr:([a-z0-9-]+):\d{12}:repository\/([a-z-]+\/\*)/.exec(text) ?? [];
  if (region !== undefined) return `${region}/${images}`;
  const key = /(Edge|Attestation)Key[0-9A-F]{8}/.exec(text)?.[1];
  return key === undefined ? (/HookSecrets|FleetSecrets|IntakeWork|RolloutWork/.exec(text)?.[0] ?? null) : `${key.toLowerCase()}key`;
}

function placesOf({ Resource: named, Condition }: Statement): string[] {
  const listed = Array.isArray(named) ? named : [named];
  const prefixes = (Condition?.['StringLikeIfExists'] ?? Condition?.['StringLike'])?.['s3:prefix'];
  return listed.flatMap((one) => {
    const distribution = placeOfDistribution(JSON.stringify(one));
    if (distribution !== null) return [distribution];
    const text = JSON.stringify(one);
    const named = /:((?:catalog|database|table|workgroup)(?:\/[^"]*)?)"/.exec(text)?.[1];
    if (named !== undefined && /:(glue|athena):/.test(text)) return [named];
    const place = /(Landing|Warehouse|Bills|Export|Signing|Results)(Key)?[0-9A-F]{8}/.exec(text);
    const tail = /"\/([^"]*)"\]\]/.exec(text)?.[1];
    const start = place === null ? (/Landed|DeadLetters|Tokens/.exec(text)?.[0] ?? text) : `${place[1]}${place[2] ?? ''}`.toLowerCase();
    if (prefixes !== undefined) return many(prefixes).map((prefix) => `${start}/${prefix}`);
    return [tail === undefined ? start : `${start}/${tail}`];
  });
}

const get = (bucket: string, ...prefixes: string[]): Right[] =>
  prefixes.flatMap((prefix) => ['s3:GetObject', 's3:GetObjectVersion'].map((action) => `${action} ${bucket}/${prefix}*`));
const put = (bucket: string, ...prefixes: string[]): Right[] => prefixes.map((prefix) => `s3:PutObject ${bucket}/${prefix}*`);
const list = (bucket: string, ...prefixes: string[]): Right[] => prefixes.map((prefix) => `s3:ListBucket ${bucket}/${prefix}*`);
const read = (bucket: string): Right[] => [`kms:Decrypt ${bucket}key`];
const write = (bucket: string): Right[] => [`kms:GenerateDataKey ${bucket}key`];

const SNAPSHOT = ['_snap/', '_segments/'];
const ISSUED = ['closes/', 'bills/', 'objects/', 'orders/', 'waivers/'];
const RATED = [...SNAPSHOT, '_commits/', 'data/', 'config/', 'fleet/'];
const RATING = [
  ...get('warehouse', ...RATED),
  ...list('warehouse', ...RATED, '_seen/'),
  ...read('warehouse'),
  ...get('bills', ...ISSUED),
  ...list('bills', ...ISSUED),
  ...read('bills'),
];
const VERIFY = ['kms:GetPublicKey signingkey'];

const CONSUME = ['ChangeMessageVisibility', 'DeleteMessage', 'GetQueueAttributes', 'GetQueueUrl', 'ReceiveMessage'];
const READ_IMAGES = ['BatchCheckLayerAvailability', 'BatchGetImage', 'GetDownloadUrlForLayer', 'ListImageReferrers'];
const COPY_IMAGES = ['CompleteLayerUpload', 'CreateRepository', 'InitiateLayerUpload', 'PutImage', 'UploadLayerPart'];

/** Each function: all that it may. Listing goes with reading: without it a missing object would look forbidden. */
const MAY: Readonly<Record<FunctionName, readonly Right[]>> = {
  ingest: [
    ...get('landing', ''),
    ...list('landing', ''),
    ...read('landing'),
    ...get('warehouse', '_commits/', '_seen/', ...SNAPSHOT),
    ...list('warehouse', '_commits/', '_seen/', ...SNAPSHOT),
    ...put('warehouse', 'data/', '_commits/', '_seen/', '_quarantine/'),
    ...read('warehouse'),
    ...write('warehouse'),
    ...CONSUME.map((action) => `sqs:${action} Landed`),
  ],
  reconcile: [...list('landing', ''), ...list('warehouse', '_seen/'), 'sqs:SendMessage Landed'],
  seal: [
    ...get('warehouse', '_seen/', '_commits/', ...SNAPSHOT, 'data/', '_quarantine/'),
    ...list('warehouse', '_seen/', '_commits/', ...SNAPSHOT, 'data/', '_quarantine/'),
    ...put('warehouse', ...SNAPSHOT),
    ...read('warehouse'),
    ...write('warehouse'),
  ],
  compact: [
    ...get('warehouse', 'data/', '_commits/', ...SNAPSHOT),
    ...list('warehouse', 'data/', '_commits/', ...SNAPSHOT),
    ...put('warehouse', 'data/', ...SNAPSHOT),
    ...read('warehouse'),
    ...write('warehouse'),
  ],
  collect: [
    ...get('warehouse', '_commits/', ...SNAPSHOT),
    ...list('warehouse', 'data/', '_commits/', ...SNAPSHOT),
    's3:DeleteObject warehouse/data/*',
    ...read('warehouse'),
    ...get('bills', 'closes/', 'bills/', 'objects/'),
    ...list('bills', 'closes/', 'bills/', 'objects/'),
    ...read('bills'),
  ],
  refresh: [
    ...RATING,
    ...VERIFY,
    ...get('warehouse', 'provisional/'),
    ...list('warehouse', 'provisional/'),
    ...put('warehouse', 'provisional/'),
    ...write('warehouse'),
  ],
  publish: [
    ...RATING,
    ...put('warehouse', '_tables/'),
    ...write('warehouse'),
    ...['GetTable', 'UpdateTable'].flatMap((action) =>
      ['catalog', 'database/kashi_prod_warehouse', 'table/kashi_prod_warehouse/*'].map((place) => `glue:${action} ${place}`),
    ),
  ],
  judge: [...RATING, ...VERIFY, ...list('landing', ''), 'sqs:GetQueueAttributes DeadLetters'],
  close: [
    ...RATING,
    ...VERIFY,
    ...list('landing', ''),
    ...put('warehouse', 'config/'),
    ...write('warehouse'),
    ...put('bills', 'closes/', 'objects/', 'bills/'),
    ...write('bills'),
    'kms:Sign signingkey',
    'sqs:GetQueueAttributes DeadLetters',
  ],
  waive: [
    ...get('bills', 'bills/', 'waivers/'),
    ...list('bills', 'bills/', 'waivers/'),
    ...put('bills', 'waivers/'),
    ...read('bills'),
    ...write('bills'),
    'kms:GetPublicKey signingkey',
    'kms:Sign signingkey',
  ],
  export: [
    ...get('warehouse', 'config/'),
    ...list('warehouse', 'config/'),
    ...read('warehouse'),
    ...get('bills', 'bills/', 'objects/'),
    ...list('bills', 'bills/', 'objects/'),
    ...read('bills'),
    ...put('export', ''),
    ...write('export'),
    'kms:GetPublicKey signingkey',
  ],
  receive: [...put('landing', ''), ...write('landing'), 'secretsmanager:GetSecretValue Tokens'],
  hook: [
    ...get('warehouse', '_hooks/'),
    ...list('warehouse', '_hooks/'),
    ...put('warehouse', '_hooks/'),
    ...read('warehouse'),
    ...write('warehouse'),
    'secretsmanager:GetSecretValue HookSecrets',
    'sqs:SendMessage IntakeWork',
  ],
  intake: [
    ...get('warehouse', '_hooks/', 'models/'),
    ...list('warehouse', '_hooks/', 'models/'),
    ...put('warehouse', '_hooks/', 'models/'),
    ...read('warehouse'),
    ...write('warehouse'),
    'secretsmanager:GetSecretValue HookSecrets',
    ...CONSUME.map((action) => `sqs:${action} IntakeWork`),
  ],
  hub: [
    ...get('warehouse', 'fleet/'),
    ...list('warehouse', 'fleet/'),
    ...put('warehouse', 'fleet/', 'heard/'),
    ...read('warehouse'),
    ...write('warehouse'),
    'secretsmanager:GetSecretValue FleetSecrets',
    'sqs:SendMessage RolloutWork',
  ],
  rollout: [
    ...get('warehouse', 'fleet/', 'models/', 'releases/'),
    ...list('warehouse', 'fleet/', 'models/', 'releases/', 'heard/'),
    ...put('warehouse', 'fleet/'),
    ...read('warehouse'),
    ...write('warehouse'),
    'kms:GetPublicKey attestationkey',
    'kms:GetPublicKey edgekey',
    'kms:Sign edgekey',
    'secretsmanager:GetSecretValue FleetSecrets',
    ...CONSUME.map((action) => `sqs:${action} RolloutWork`),
    ...['ListReplicationBackfills', 'StartReplicationBackfill'].map((action) => `ecr:${action} "*"`),
    ...[...READ_IMAGES, 'DescribeImageReplicationStatus'].map((action) => `ecr:${action} ap-southeast-1/production-models/*`),
    ...['ap-southeast-3', 'eu-central-1'].flatMap((region) =>
      [...READ_IMAGES, ...COPY_IMAGES].map((action) => `ecr:${action} ${region}/production-models/*`),
    ),
  ],
};

describe('each function may what its stage needs, and nothing else', () => {
  for (const name of FUNCTIONS) test(name, () => assert.deepEqual(rightsOf(name), [...new Set(MAY[name])].sort()));
});

describe('never', () => {
  const who = (pattern: RegExp): FunctionName[] => FUNCTIONS.filter((name) => rightsOf(name).some((right) => pattern.test(right)));

  test('deletes anything but data files, and only the collector does', () => {
    assert.deepEqual(who(/Delete(?!Message)/), ['collect']);
    assert.deepEqual(
      rightsOf('collect').filter((right) => right.includes('Delete')),
      ['s3:DeleteObject warehouse/data/*'],
    );
  });
  test('reads raw logs, but the ingest', () => assert.deepEqual(who(/GetObject landing/), ['ingest']));
  test('signs, but who closes, who waives and who tells edges', () => assert.deepEqual(who(/kms:Sign/), ['close', 'waive', 'rollout']));
  test('signs bills and messages with one key, or attestations at all', () => {
    assert.deepEqual(who(/kms:Sign signingkey/), ['close', 'waive']);
    assert.deepEqual(who(/kms:Sign attestationkey/), []);
  });
  test('reads or writes bills, who has to do with models and edges', () =>
    assert.deepEqual(
      (['hook', 'intake', 'hub', 'rollout'] as const).flatMap((name) =>
        rightsOf(name).filter((right) => /bills|landing|data\//.test(right)),
      ),
      [],
    ));
  test('writes images at headquarters, or touches candidates', () => {
    assert.deepEqual(who(/ecr:(Put|Create|Upload|Complete|Initiate)\w+ ap-southeast-1/), []);
    assert.deepEqual(who(/ecr:\w+ \S*(staging|base)-models/), []);
  });
  test('issues a bill, but who closes', () => assert.deepEqual(who(/PutObject bills\/(bills|closes|objects)/), ['close']));
  test('makes a snapshot, but sealer and compactor', () => assert.deepEqual(who(/PutObject warehouse\/_snap/), ['seal', 'compact']));
  test('commits, but the ingest', () => assert.deepEqual(who(/PutObject warehouse\/_commits/), ['ingest']));
  test('writes, where only names are compared', () =>
    assert.deepEqual(
      rightsOf('reconcile').filter((right) => /Get|Put|kms/.test(right)),
      [],
    ));
  test('has a wildcard of actions', () => assert.deepEqual(who(/^\S*\*/), []));
});

describe('an analyst', () => {
  const roles = [...resources].filter(
    ([, { Type, Properties }]) => Type === 'AWS::IAM::Role' && String(Properties.RoleName ?? '').endsWith('-analyst'),
  );
  const room = (name: string, bucket: string, ...prefixes: string[]): Right[] => {
    const database = `kashi_prod_${name.replaceAll('-', '_')}`;
    const definitions = ['GetDatabase', 'GetPartitions', 'GetTable', 'GetTables'];
    return [
      ...['GetQueryExecution', 'GetQueryResults', 'GetWorkGroup', 'StartQueryExecution', 'StopQueryExecution'].map(
        (action) => `athena:${action} workgroup/kashi-prod-${name}`,
      ),
      ...definitions.flatMap((action) =>
        ['catalog', `database/${database}`, `table/${database}/*`].map((place) => `glue:${action} ${place}`),
      ),
      ...read(bucket),
      ...prefixes.flatMap((prefix) => [`s3:GetObject ${bucket}/${prefix}*`, `s3:ListBucket ${bucket}/${prefix}*`]),
      ...['AbortMultipartUpload', 'GetObject', 'ListBucket', 'PutObject'].map((action) => `s3:${action} results/kashi-prod-${name}/*`),
      ...[bucket, 'results'].map((one) => `s3:GetBucketLocation ${one}`),
    ].sort();
  };
  /** All that each may: its own prefixes, database and workgroup. None may see raw logs, commits, or what is another's. */
  const ROOMS: Readonly<Record<string, readonly Right[]>> = {
    finance: room('finance', 'export', 'closed/'),
    'tenant-platform': room('tenant-platform', 'export', 'tenants/platform/'),
    'tenant-research': room('tenant-research', 'export', 'tenants/research/'),
    warehouse: room('warehouse', 'warehouse', 'data/', '_tables/'),
  };

  test('has a role for each tenant, one for finance and one for the warehouse', () => {
    const names = roles.map(([, { Properties }]) => Properties.RoleName).sort();
    assert.deepEqual(
      names,
      Object.keys(ROOMS).map((name) => `kashi-prod-${name}-analyst`),
    );
  });

  for (const [id, { Properties }] of roles) {
    const name = String(Properties.RoleName).replace('kashi-prod-', '').replace('-analyst', '');
    test(`${name}: sees its own prefixes, workgroup and database, and nothing else`, () => assert.deepEqual(rightsOfRole(id), ROOMS[name]));
  }

  test('cannot read more in one query than the stage allows, nor send answers elsewhere', () => {
    const groups = [...resources.values()].filter(({ Type }) => Type === 'AWS::Athena::WorkGroup');
    assert.equal(groups.length, Object.keys(ROOMS).length);
    for (const { Properties } of groups) {
      assert.equal(Properties.WorkGroupConfiguration.BytesScannedCutoffPerQuery, 100 * 1024 ** 3);
      assert.equal(Properties.WorkGroupConfiguration.EnforceWorkGroupConfiguration, true);
    }
  });

  const tablesOf = (room: string) =>
    [...resources.values()]
      .filter(({ Type, Properties }) => Type === 'AWS::Glue::Table' && Properties.DatabaseName === `kashi_prod_${room}`)
      .map(({ Properties }) => Properties.TableInput);

  test('finds closed bills, of all or its own', () => {
    for (const name of ['finance', 'tenant_platform', 'tenant_research'])
      assert.deepEqual(
        tablesOf(name)
          .map(({ Name }) => Name)
          .sort(),
        ['bill', 'bill_line', 'bill_unrated'],
      );
  });

  test('finds every dataset, reference table and view of sql/ that is for analysts in the warehouse', () => {
    const models = loadModels(readSqlFiles()).filter(
      ({ name, layer }) => ['analyses', 'checks'].includes(layer) || (PUBLIC_VIEWS as readonly string[]).includes(name),
    );
    const datasets = Object.keys(DATASETS).flatMap((name) => [`raw_${name}`, `stored_${name}`]);
    const expected = [...datasets, ...Object.keys(REFERENCE), ...models.map(({ name }) => name), 'raw_file', 'raw_object', 'quarantine'];
    const found = new Set(tablesOf('warehouse').map(({ Name }) => Name));
    assert.deepEqual(
      expected.filter((name) => !found.has(name)),
      [],
    );
    assert.equal(found.size, tablesOf('warehouse').length);
  });

  test('finds tables and columns explained', () => {
    const tables = [...resources.values()].filter(({ Type }) => Type === 'AWS::Glue::Table').map(({ Properties }) => Properties.TableInput);
    for (const { StorageDescriptor, Name, Description, ViewOriginalText } of tables) {
      const text = Buffer.from(/^\/\* Presto View: (\S+) \*\/$/.exec(ViewOriginalText ?? '')?.[1] ?? '', 'base64').toString();
      const said = text === '' ? Description : (JSON.parse(text) as { comment: string }).comment;
      assert.ok(said.length > 10, Name);
      for (const { Name: column, Comment } of StorageDescriptor.Columns) assert.ok(Comment.length >= 3, `${Name}.${column}`);
    }
  });
});

describe('a build', () => {
  const rolesOf = (project: string): string => {
    const found = [...resources.values()].find(({ Type, Properties }) => Type === 'AWS::CodeBuild::Project' && Properties.Name === project);
    return found?.Properties.ServiceRole['Fn::GetAtt'][0] as string;
  };
  const statementsOf = (project: string): Statement[] =>
    [...resources.values()]
      .filter(({ Type, Properties }) => Type === 'AWS::IAM::Policy' && JSON.stringify(Properties.Roles).includes(rolesOf(project)))
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[]);
  const mayWith = (project: string, pattern: RegExp): string[] =>
    statementsOf(project).flatMap((statement) =>
      many(statement.Action)
        .filter((action) => pattern.test(action))
        .map((action) => `${action} ${JSON.stringify(statement.Resource)}`),
    );

  test('pushes candidates, signs attestations, and comes near no production image, bill or rollout', () => {
    const all = mayWith('kashi-prod-build', /./);
    assert.ok(all.some((right) => /^ecr:PutImage .*repository\/staging-models\/\*/.test(right)));
    assert.ok(all.some((right) => /^kms:Sign .*AttestationKey/.test(right)));
    assert.deepEqual(
      all.filter((right) => /production-models|SigningKey|EdgeKey|Bills|fleet\/|_hooks|secretsmanager|\*:\*/.test(right)),
      [],
    );
    assert.deepEqual(
      all
        .filter((right) => /^s3:PutObject/.test(right))
        .flatMap((right) => [...right.matchAll(/\/(\w+)\/\*/g)].map(([, prefix]) => prefix)),
      ['objects', 'releases'],
    );
  });

  test('of a base pushes bases alone', () =>
    assert.deepEqual(
      mayWith('kashi-prod-base', /^(ecr:Put|s3:Put|kms|secrets)/).map((right) => /repository\/([a-z-]+)/.exec(right)?.[1]),
      ['base-models'],
    ));
});

describe('nodes of an edge', () => {
  const pullers = [...resources].filter(
    ([, { Type, Properties }]) => Type === 'AWS::IAM::Role' && /-pull-/.test(String(Properties.RoleName ?? '')),
  );

  test('have a role in each Region that pulls production images of that Region, and nothing else', () => {
    assert.deepEqual(
      pullers.map(([, { Properties }]) => Properties.RoleName),
      ['kashi-prod-pull-ap-southeast-3', 'kashi-prod-pull-eu-central-1'],
    );
    for (const [id, { Properties }] of pullers) {
      const statements = [...resources.values()]
        .filter((one) => one.Type === 'AWS::IAM::Policy' && JSON.stringify(one.Properties.Roles).includes(id))
        .flatMap((one) => one.Properties.PolicyDocument.Statement as Statement[]);
      assert.deepEqual(
        statements.flatMap(({ Action }) => many(Action)).sort(),
        [
          'BatchCheckLayerAvailability',
          'BatchGetImage',
          'DescribeImages',
          'GetAuthorizationToken',
          'GetDownloadUrlForLayer',
          'ListImageReferrers',
        ].map((action) => `ecr:${action}`),
      );
      const region = String(Properties.RoleName).replace('kashi-prod-pull-', '');
      assert.ok(
        statements.some(({ Resource }) => JSON.stringify(Resource).includes(`:ecr:${region}:111122223333:repository/production-models/*`)),
      );
    }
  });
});
