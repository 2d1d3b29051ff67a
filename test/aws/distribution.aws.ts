/**
 * A model version to a live edge on a deploy: the distribution stack on an emulator over HTTP (Lambda, SQS, EventBridge, KMS, API Gateway), with
 * real registries, Git's own HTTP server and the real agent beside it. People use the command line, as an operator does.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { jsonFile } from '../../functions/adapters/edge-files.ts';
import { ociRegistry } from '../../functions/adapters/registry-oci.ts';
import { kmsPublicKey } from '../../functions/adapters/signer-kms.ts';
import { createLocalKey, localSigner } from '../../functions/adapters/signer-local.ts';
import { EdgeAgent, EMPTY_MEMORY } from '../../functions/distribution/edge-agent.ts';
import { parseHookSecrets, signHook } from '../../functions/domain/hook-signature.ts';
import { LAUNCH } from '../cli/run.ts';
import { gitWithService } from '../distribution/fleet-lab.ts';
import { dockerRegistryBinary, type RunningRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { CREDENTIALS, type GitHttp, startGitHttp } from '../support/git-http.ts';
import { type Deployment, deploy, until } from './deployment.ts';
import { type Ministack, ministackPackage, startMinistack } from './ministack.ts';

const VERSION = 'chat:v1.0.0';
const EDGE = 'edge-a';
const HOOK_SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, yes').toString('base64')}`;
const PRICES = `kind: book
currency: CNY
---
kind: token_price
entries:
  - {id: chat, approved_by: cfo, per_million: {input_uncached: "2", output: "8"}, model: chat, effective_from: 2026-01-01}
`;

const binary = dockerRegistryBinary();
const reason =
  binary === null
    ? 'docker-registry cannot be had here'
    : await ministackPackage().then(
        () => false as const,
        (error: unknown) => `PyPI cannot be had, so there is no emulator: ${String(error).slice(0, 300)}`,
      );
if (reason !== false) console.log(`skipped: ${reason}`);

describe('distribution on a deploy', { skip: reason }, () => {
  let folder: string;
  let emulator: Ministack;
  let deployed: Deployment;
  let hq: RunningRegistry;
  let edge: RunningRegistry;
  let git: GitHttp;
  let repository: string;
  let agent: EdgeAgent;
  const notes: string[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kashi-aws-distribution-'));
    [hq, edge] = [await startDockerRegistry(binary!, join(folder, 'hq')), await startDockerRegistry(binary!, join(folder, 'edge'))];
    repository = (await gitWithService(folder)).path;
    git = await startGitHttp(folder);
    createLocalKey(join(folder, 'agent.pem'), 'ecdsa-p256-sha256');
    const fleet = writeFleet();
    const centre = writeCentre('centre', '');
    emulator = await startMinistack(await ministackPackage(), folder);
    deployed = await deploy(emulator, centre, folder, { fleet, stacks: ['storage', 'distribution'] });
    await putSecrets();
    agent = await openAgent();
  });

  after(async () => {
    if (process.env['KASHI_KEEP'] !== undefined) console.log(`kept: ${folder}`);
    deployed?.close();
    await Promise.all([emulator?.stop(), hq?.stop(), edge?.stop(), git?.stop()]);
    if (process.env['KASHI_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true });
  });

  test('a hook is taken when it is signed, once, and waits for its registry', async () => {
    const body = JSON.stringify({
      specversion: '1.0',
      type: 'dev.kashi.model.registered.v1',
      id: 'h1',
      source: '/ci',
      time: new Date().toISOString(),
      subject: 'model/chat/v9',
      data: { model: 'chat', version: 'v9' },
    });
    const signed = signHook(parseHookSecrets(HOOK_SECRET, 'test'), 'msg_1', Math.floor(Date.now() / 1000), body);
    const headers = { ...signed, 'content-type': 'application/cloudevents+json' };
    const stale = signHook(parseHookSecrets(HOOK_SECRET, 'test'), 'msg_2', Math.floor(Date.now() / 1000) - 900, body);
    assert.deepEqual(
      [
        (await post('/v1/hooks/ci', body, { ...headers, 'webhook-id': 'msg_3' })).status,
        (await post('/v1/hooks/ci', body, { ...headers, ...stale })).status,
        (await post('/v1/hooks/other', body, headers)).status,
        (await post('/v1/hooks/ci', body, headers)).status,
        (await post('/v1/hooks/ci', body, headers)).status,
      ],
      [401, 401, 404, 202, 200],
    );
    const hooks = await until('the hook is tried', 60, async () => {
      const { hooks: all } = operator<{ hooks: { state: string; attempts: { error: string | null }[] }[] }>('hooks', 'list');
      return all[0] !== undefined && all[0].attempts.length > 0 ? all : null;
    });
    assert.equal(hooks.length, 1);
    assert.equal(hooks[0]!.state, 'waiting');
    assert.match(hooks[0]!.attempts[0]!.error ?? '', /127\.0\.0\.1:1/);
  });

  test('what is promoted is rolled out: proven at the edge, committed, announced, live, and its lead time told', async () => {
    operator('model', 'register', VERSION, '--by', 'Li Wei');
    const files = join(folder, 'model');
    mkdirSync(files, { recursive: true });
    writeFileSync(join(files, 'model.safetensors'), 'weights'.repeat(1000));
    operator('release', 'build', VERSION, '--recipe', join(folder, 'build', 'recipe.yaml'), '--artifacts', files);
    operator('release', 'push', VERSION);
    operator('model', 'promote', VERSION, '--to', 'staging', '--by', 'Li Wei', '--reason', 'test');
    operator('model', 'approve', VERSION, '--by', 'Zhao Min', '--reason', 'test');
    operator('model', 'promote', VERSION, '--by', 'Li Wei', '--reason', 'test');
    // As ECR tells it.
    await tellOfPush();
    const commit = await until('the commit', 120, async () =>
      inGit('rev-list', '--count', 'main') === '1' ? null : inGit('log', '-1', '--format=%s', 'main'),
    );
    assert.equal(commit, `deploy(${EDGE}): chat v1.0.0`);
    const digest = /digest: "(sha256:[0-9a-f]{64})"/.exec(inGit('show', `main:edges/${EDGE}/chat/kustomization.yaml`))?.[1];
    const there = await ociRegistry({ url: edge.url }).manifest('production-models/chat-service', digest ?? '');
    assert.equal(there?.digest, digest, 'the image was in the registry of the edge');
    await until('live', 120, async () => {
      await agent.poll();
      await agent.work();
      return agent.memory.live['chat'] === undefined ? null : true;
    });
    assert.deepEqual(
      notes.filter((note) => /refused|signature/.test(note)),
      [],
    );
    await until('headquarters knows', 30, async () => (status().edges[0]?.state === 'live' ? true : null));
    assert.deepEqual([status().edges[0]?.live_digest, status().lead_times[0]?.live], [digest, 1]);
    const { stdout } = spawnSync(process.execPath, [LAUNCH, 'fleet', 'metrics', ...place()], {
      cwd: join(folder, 'build'),
      env: environment(),
      encoding: 'utf8',
    });
    assert.match(
      stdout,
      /kashi_fleet_lead_time_seconds\{service="chat",edge="edge-a",wave="1",generation="1",run="promotion",version="v1\.0\.0"\} \d/,
    );
  });

  test('a doubled event, a strange one and a forged report change nothing', async () => {
    const before = deployedEvents();
    await tellOfPush();
    const records = [
      { messageId: 'none', body: 'no json' },
      { messageId: 'other', body: JSON.stringify({ source: 'aws.s3', detail: {} }) },
      { messageId: 'look', body: '{"look":"test"}' },
    ];
    const answered = await deployed.call<{ batchItemFailures: unknown }>('rollout', { Records: records });
    assert.deepEqual(answered.batchItemFailures, [{ itemIdentifier: 'none' }, { itemIdentifier: 'other' }]);
    assert.equal((await post(`/v1/edges/${EDGE}`, '{"type":"live"}', {})).status, 401);
    assert.equal((await post('/v1/edges/nobody', '{"type":"live"}', {})).status, 401);
    assert.equal(deployedEvents(), before);
    assert.equal(inGit('rev-list', '--count', 'main'), '2');
  });

  function writeFleet(): string {
    const fleet = join(folder, 'fleet');
    mkdirSync(join(fleet, 'keys'), { recursive: true });
    writeFileSync(join(fleet, 'keys', `${EDGE}.pub.pem`), localSigner(join(folder, 'agent.pem'), 'ecdsa-p256-sha256').publicKey);
    writeFileSync(
      join(fleet, 'fleet.yaml'),
      `registry: ${hq.url}
git: {repository: unused, remote: "${git.urlOf(repository)}"}
attestation_key: unused
signing_key: unused
edges:
  - {edge: ${EDGE}, registry: "${edge.url}", public_key: keys/${EDGE}.pub.pem}
rollout: {waves: [{percent: 100}], gather_seconds: 1}
`,
    );
    writeFileSync(
      join(fleet, 'models.yaml'),
      `registry: {url: "${hq.url}"}
gates: {approvals: 1}
endpoints:
  - {name: ci, signature: standard, events: kashi, secret_file: ci.secret, source: {kind: kashi, url: "http://127.0.0.1:1"}}
`,
    );
    return fleet;
  }

  /** `close`: of kashi.yaml. */
  function writeCentre(name: string, close: string): string {
    const centre = join(folder, name);
    mkdirSync(centre, { recursive: true });
    writeFileSync(join(centre, 'kashi.yaml'), `price_book: prices.yaml\n${close}`);
    writeFileSync(join(centre, 'prices.yaml'), PRICES);
    return centre;
  }

  async function putSecrets(): Promise<void> {
    const secrets = new SecretsManagerClient(deployed.client);
    const put = async (output: string, value: object): Promise<void> =>
      void (await secrets.send(new PutSecretValueCommand({ SecretId: deployed.output(output), SecretString: JSON.stringify(value) })));
    await put('HookSecretsArn', { 'ci.secret': HOOK_SECRET });
    await put('FleetSecretsArn', { git: CREDENTIALS });
    secrets.destroy();
    // What a build has: the key that attests, and no endpoints of hooks.
    const build = writeCentre('build', `close: {signing_key: "kms:${deployed.output('attestationKeyId')}"}\n`);
    writeFileSync(join(build, 'models.yaml'), `registry: {url: "${hq.url}"}\ngates: {approvals: 1}\n`);
    writeFileSync(join(build, 'recipe.yaml'), 'name: plain\nentrypoint: [/srv/serve]\n');
  }

  async function openAgent(): Promise<EdgeAgent> {
    return new EdgeAgent({
      edge: EDGE,
      hqKey: await kmsPublicKey(deployed.output('edgeKeyId'), deployed.client),
      attestationKey: await kmsPublicKey(deployed.output('attestationKeyId'), deployed.client),
      registry: ociRegistry({ url: edge.url }),
      signer: localSigner(join(folder, 'agent.pem'), 'ecdsa-p256-sha256'),
      clock: { now: () => Date.now() },
      post: async (body) => {
        const { status: code, text } = await post(`/v1/edges/${EDGE}`, Buffer.from(body), {});
        return { status: code, body: Buffer.from(text) };
      },
      ...jsonFile(join(folder, 'agent.json'), EMPTY_MEMORY),
      sync: async ({ image }) => {
        const text = inGit('show', `main:edges/${EDGE}/chat/kustomization.yaml`);
        return { ok: text.includes(image.split('@')[1] ?? ''), text };
      },
      ready: async () => ({ ok: true, text: '' }),
      health: async () => null,
      note: (line) => void notes.push(line),
    });
  }

  function environment(): NodeJS.ProcessEnv {
    return { ...process.env, ...emulator.environment, NO_COLOR: '1' };
  }

  function place(): string[] {
    return [
      '--warehouse',
      `s3://${deployed.output('warehouseBucket')}`,
      '--config',
      'kashi.yaml',
      '--fleet',
      join(folder, 'fleet', 'fleet.yaml'),
    ];
  }

  /** An operator at the command line, with the warehouse bucket as warehouse. */
  function operator<Answer>(...words: string[]): Answer {
    const options = words[0] === 'fleet' ? place() : place().slice(0, 4);
    const {
      status: code,
      stdout,
      stderr,
    } = spawnSync(process.execPath, [LAUNCH, ...words, ...options, '--json'], {
      cwd: join(folder, 'build'),
      env: environment(),
      encoding: 'utf8',
    });
    assert.equal(code, 0, `${words.join(' ')}\n${stdout}\n${stderr}`);
    return JSON.parse(stdout) as Answer;
  }

  interface Status {
    readonly events: number;
    readonly edges: { state: string; live_digest: string | null }[];
    readonly lead_times: { live: number }[];
  }

  function status(): Status {
    return operator<Status>('fleet', 'status');
  }

  function deployedEvents(): number {
    return status().events;
  }

  function inGit(...words: string[]): string {
    return execFileSync('git', ['--git-dir', repository, ...words], { encoding: 'utf8' }).trim();
  }

  async function tellOfPush(): Promise<void> {
    const detail = {
      'action-type': 'PUSH',
      result: 'SUCCESS',
      'repository-name': 'production-models/chat-service',
      'image-digest': `sha256:${'0'.repeat(64)}`,
      'image-tag': 'v1.0.0',
    };
    const answer = await fetch(emulator.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'AWSEvents.PutEvents',
        authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/events/aws4_request, SignedHeaders=host, Signature=0',
      },
      body: JSON.stringify({ Entries: [{ Source: 'aws.ecr', DetailType: 'ECR Image Action', Detail: JSON.stringify(detail) }] }),
    });
    assert.equal(answer.status, 200, await answer.text());
  }

  /** To the API by its host name, which here has no address of its own. */
  async function post(
    path: string,
    body: string | Buffer,
    headers: Readonly<Record<string, string>>,
  ): Promise<{ status: number; text: string }> {
    const host = deployed.output('EndpointHqUrl').replace('http://', '');
    return await new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: emulator.port, method: 'POST', path, headers: { ...headers, host } }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (chunk: Buffer) => void parts.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }));
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
});
