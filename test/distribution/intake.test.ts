/** From an accepted hook to the registry: the truth is fetched over HTTP from where it is, applied once, and what fails waits, dies and comes back. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DEFAULT_LISTEN, listenHttp } from '../../functions/adapters/http-receiver.ts';
import { sageMakerSource } from '../../functions/adapters/model-source-command.ts';
import { huggingFaceSource, kashiSource, mlflowSource } from '../../functions/adapters/model-source-http.ts';
import { type AcceptedHook, accept, drain, RETRY_MS, readQueue, replay } from '../../functions/distribution/intake-queue.ts';
import { applyHook, type TruthOptions } from '../../functions/distribution/intake-truth.ts';
import { makeModelPages } from '../../functions/distribution/model-pages.ts';
import { moveVersion, readModel, register, setAlias } from '../../functions/distribution/model-registry.ts';
import { parseModelsFile } from '../../functions/distribution/models-file.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { parseOneYaml } from '../../functions/domain/yaml-config.ts';
import type { ModelSource } from '../../functions/ports.ts';
import { parseTokens } from '../../functions/receive/tokens.ts';
import { factsOf, Supply } from './supply.ts';

/** A registry that answers these paths. */
async function serve(
  t: TestContext,
  answers: Record<string, unknown>,
): Promise<{ url: string; asked: string[]; answers: Record<string, unknown> }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const found = answers[request.url ?? ''];
    const status = found === undefined ? 404 : typeof found === 'number' ? found : 200;
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify(found ?? { error_code: 'RESOURCE_DOES_NOT_EXIST' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, asked, answers };
}

function hookAt(pointers: AcceptedHook['pointers'], id = 'one', at = 0): AcceptedHook {
  return { endpoint: 'first', delivery_id: id, body_sha256: 'b'.repeat(64), type: 'test', pointers, received_at_ms: at };
}

const STAGING = ['Staging', 'champion', 'Approved'];
const truth = (source: ModelSource, models: Record<string, string> = {}): TruthOptions => ({ source, models, staging: STAGING });

const VERSION = '/api/2.0/mlflow/model-versions/get?name=fraud%2FDetector&version=3';
const RUN = '/api/2.0/mlflow/runs/get?run_id=abc';
const MLFLOW = {
  [VERSION]: {
    model_version: {
      name: 'fraud/Detector',
      version: '3',
      current_stage: 'None',
      source: 's3://models/3',
      run_id: 'abc',
      status: 'READY',
      tags: [{ key: 'training_job', value: 'job-9' }],
      aliases: ['champion'],
    },
  },
  [RUN]: {
    run: {
      data: {
        metrics: [
          { key: 'auc', value: 0.9125 },
          { key: 'loss', value: 'NaN' },
        ],
        params: [{ key: 'lr', value: '2e-5' }],
        tags: [
          { key: 'mlflow.source.name', value: 'train.py' },
          { key: 'mlflow.source.git.commit', value: '0123456789abcdef0123456789abcdef01234567' },
        ],
      },
      inputs: { dataset_inputs: [{ dataset: { name: 'transactions', digest: 'a1b2' } }] },
    },
  },
};

test('MLflow: the version with its run, its alias asks for staging; a removed alias is taken away; twice changes nothing', async (t) => {
  const supply = new Supply(t);
  const registry = await serve(t, { ...MLFLOW });
  const options = truth(mlflowSource(registry.url, null), { 'fraud/Detector': 'fraud-detector' });
  const hook = hookAt([{ model: 'fraud/Detector', version: '3' }]);
  assert.deepEqual(await applyHook(supply, options, hook), [
    { model: 'fraud-detector', version: '3', did: ['registered', 'alias champion', 'stage staging'] },
  ]);
  const state = await readModel(supply.store, 'fraud-detector');
  const version = state.versions.get('3');
  assert.deepEqual(version?.metrics, { auc: '0.9125' }, 'NaN is no metric that a gate could judge');
  assert.deepEqual(version?.provenance, {
    script: 'train.py',
    code_revision: '0123456789abcdef0123456789abcdef01234567',
    data_set: 'transactions@a1b2',
    hyperparameters: { lr: '2e-5' },
    training_job: 'job-9',
    artifacts: 's3://models/3',
    origin: `mlflow:${registry.url}`,
    origin_id: 'abc',
  });
  assert.deepEqual(
    (await applyHook(supply, options, hook)).map(({ did }) => did),
    [[]],
  );
  const without = structuredClone(MLFLOW);
  without[VERSION].model_version.aliases = [];
  registry.answers[VERSION] = without[VERSION];
  assert.deepEqual((await applyHook(supply, options, hook))[0]?.did, ['alias champion removed']);
});

test('a name that cannot be one here, and is not mapped, says how to map it', async (t) => {
  const registry = await serve(t, { ...MLFLOW });
  await assert.rejects(
    applyHook(new Supply(t), truth(mlflowSource(registry.url, null)), hookAt([{ model: 'fraud/Detector', version: '3' }])),
    /not the name of a model/,
  );
});

test('Hugging Face: a commit is a version', async (t) => {
  const supply = new Supply(t);
  const sha = `c3${'d'.repeat(38)}`;
  const registry = await serve(t, {
    [`/api/models/acme/llama3-8b-sft/revision/${sha}`]: {
      id: 'acme/llama3-8b-sft',
      sha,
      library_name: 'transformers',
      cardData: { datasets: ['acme/sft-mix'] },
    },
  });
  const options = truth(huggingFaceSource(registry.url, null), { 'acme/llama3-8b-sft': 'llama3-8b-sft' });
  const [applied] = await applyHook(supply, options, hookAt([{ model: 'acme/llama3-8b-sft', version: sha }]));
  assert.deepEqual(applied, { model: 'llama3-8b-sft', version: sha.slice(0, 12), did: ['registered'] });
  const version = (await readModel(supply.store, 'llama3-8b-sft')).versions.get(sha.slice(0, 12));
  assert.deepEqual([version?.provenance.code_revision, version?.provenance.data_set], [sha, 'acme/sft-mix']);
});

test('SageMaker: what the command line describes, approved or rejected', async (t) => {
  const supply = new Supply(t);
  const arn = 'arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/3';
  const file = join(supply.folder, 'describe.mjs');
  const package_ = (status: string) => ({
    ModelPackageGroupName: 'fraud',
    ModelPackageVersion: 3,
    ModelPackageArn: arn,
    ModelApprovalStatus: status,
    InferenceSpecification: { Containers: [{ Image: 'img', ModelDataUrl: 's3://b/model.tar.gz' }] },
    MetadataProperties: { CommitId: 'abc' },
    CustomerMetadataProperties: { training_job: 'job-9', 'metric.auc': '0.91' },
  });
  const says = (status: string) =>
    writeFileSync(
      file,
      `if (process.argv[2] !== '${arn}') { console.error('ModelPackage does not exist'); process.exit(255); }\nconsole.log(${JSON.stringify(JSON.stringify(package_(status)))});`,
    );
  says('Approved');
  const source = sageMakerSource([process.execPath, file, '{version}']);
  const applied = await applyHook(supply, truth(source), hookAt([{ model: 'fraud', version: arn }]));
  assert.deepEqual(applied, [{ model: 'fraud', version: '3', did: ['registered', 'stage staging'] }]);
  const version = (await readModel(supply.store, 'fraud')).versions.get('3');
  assert.deepEqual([version?.metrics, version?.provenance.training_job, version?.provenance.origin_id], [{ auc: '0.91' }, 'job-9', arn]);
  says('Rejected');
  assert.deepEqual((await applyHook(supply, truth(source), hookAt([{ model: 'fraud', version: arn }])))[0]?.did, ['stage rejected']);
  assert.deepEqual(await source.versions('fraud', 'arn:other'), []);
  assert.deepEqual(await source.versions('fraud', '--profile=root'), [], 'a name is never an option');
  await assert.rejects(sageMakerSource(['no-such-program-of-kashi']).versions('fraud', arn), /not there/);
});

test('the body of a hook is never the truth: what it claims and the registry does not have is not registered', async (t) => {
  const supply = new Supply(t);
  const registry = await serve(t, {});
  const { store, clock } = supply;
  await accept(store, hookAt([{ model: 'llama3-8b-sft', version: 'v9' }], 'forged', clock.now()));
  const [hook] = await drain(store, clock, async (one) => void (await applyHook(supply, truth(kashiSource(registry.url, null)), one)));
  assert.match(hook?.attempts[0]?.error ?? '', /no such version/);
  assert.equal((await readModel(store, 'llama3-8b-sft')).versions.size, 0);
});

test('another kashi is asked for what it has: its own endpoint answers, to who has a token', async (t) => {
  const [there, here] = [new Supply(t), new Supply(t)];
  await register(there, factsOf('v2.1.0'), 'training');
  await moveVersion(there, 'llama3-8b-sft', 'v2.1.0', { to: 'staging', by: 'Li Wei', reason: 'measured', evidence: null });
  await setAlias(there, 'llama3-8b-sft', 'champion', 'v2.1.0', 'Li Wei');
  const token = 'a token of sixteen characters'.replaceAll(' ', '-');
  const pages = makeModelPages({ store: there.store, readers: parseTokens(`branch ${token}`, 'readers').map(({ digest }) => digest) });
  const listening = await listenHttp(pages, { ...DEFAULT_LISTEN, host: '127.0.0.1', port: 0 });
  t.after(() => listening.close());
  const url = `http://127.0.0.1:${listening.port}`;
  const hook = hookAt([{ model: 'llama3-8b-sft', version: 'v2.1.0' }]);
  assert.deepEqual(await applyHook(here, truth(kashiSource(url, token)), hook), [
    { model: 'llama3-8b-sft', version: 'v2.1.0', did: ['registered', 'alias champion', 'stage staging'] },
  ]);
  const [mine, theirs] = [here, there].map(async ({ store }) => (await readModel(store, 'llama3-8b-sft')).versions.get('v2.1.0'));
  const [own, other] = [await mine, await theirs];
  assert.deepEqual(own?.metrics, other?.metrics);
  assert.deepEqual(own?.environment, other?.environment);
  assert.deepEqual(
    { ...own?.provenance, origin: '', origin_id: '' },
    { ...other?.provenance, origin: '', origin_id: '' },
    'everything but where it came from',
  );
  assert.deepEqual(await kashiSource(url, token).versions('llama3-8b-sft', 'v9'), []);
  assert.deepEqual(await kashiSource(url, token).versions('none', 'v1'), []);
  for (const wrong of [null, `${token}x`, ''])
    await assert.rejects(kashiSource(url, wrong).versions('llama3-8b-sft', 'v2.1.0'), /refuses/, String(wrong));
  const path = `${url}/v1/models/llama3-8b-sft/versions/v2.1.0`;
  assert.equal((await fetch(path, { method: 'POST', body: '{}' })).status, 405);
  assert.equal((await fetch(`${url}/v1/models/llama3-8b-sft/versions/..%2f..`)).status, 404);
});

test('a registry that is away: tried again after each wait, then dead, then replayed by hand and done', async (t) => {
  const supply = new Supply(t);
  const { store, clock } = supply;
  const path = '/v1/models/llama3-8b-sft/versions/v1';
  const registry = await serve(t, { [path]: 503 });
  const act = async (hook: AcceptedHook) => void (await applyHook(supply, truth(kashiSource(registry.url, null)), hook));
  await accept(store, hookAt([{ model: 'llama3-8b-sft', version: 'v1' }], 'one', clock.now()));
  for (const [index, wait] of RETRY_MS.entries()) {
    const [hook] = await drain(store, clock, act);
    assert.equal(hook?.attempts.length, index + 1);
    assert.equal(hook?.state, 'waiting');
    clock.at = (hook?.due_at_ms ?? 0) - 1;
    assert.deepEqual(await drain(store, { now: () => clock.at }, act), [], `nothing is due before ${wait} ms`);
    clock.at = hook?.due_at_ms ?? 0;
  }
  const [dead] = await drain(store, clock, act);
  assert.equal(dead?.state, 'dead');
  clock.at += 365 * 86_400_000;
  assert.deepEqual(await drain(store, clock, act), [], 'dead stays dead');
  registry.answers[path] = { version: 'v1', stage: 'staging', metrics: { accuracy: '0.8' }, provenance: { training_job: 'job-1' } };
  const replayed = await replay(store, clock, dead?.id ?? '');
  assert.deepEqual([replayed.state, replayed.replays], ['waiting', 1]);
  const [done] = await drain(store, clock, act);
  assert.equal(done?.state, 'done');
  assert.equal((await readModel(store, 'llama3-8b-sft')).versions.get('v1')?.stage, 'staging');
  await assert.rejects(replay(store, clock, 'first/none'), /no such hook/);
});

test('one bad hook holds up no other, and two workers at once do the work once', async (t) => {
  const supply = new Supply(t);
  const { store, clock } = supply;
  const registry = await serve(t, { '/v1/models/a/versions/v1': { version: 'v1' } });
  const act = async (hook: AcceptedHook) => void (await applyHook(supply, truth(kashiSource(registry.url, null)), hook));
  await accept(store, hookAt([{ model: 'gone', version: 'v1' }], 'bad', clock.now()));
  await accept(store, hookAt([{ model: 'a', version: 'v1' }], 'good', clock.now()));
  await Promise.all([drain(store, clock, act), drain(store, clock, act)]);
  assert.deepEqual((await readQueue(store)).map(({ state }) => state).sort(), ['done', 'waiting']);
  assert.equal((await readModel(store, 'a')).versions.get('v1')?.history.length, 1);
});

test('models.yaml says what is wrong with it', () => {
  const parse = (text: string) => parseModelsFile(parseOneYaml(text, 'models.yaml'), 'models.yaml', () => 'a-secret-of-the-registry');
  const endpoint = (more: string) => `endpoints:\n  - {name: mlflow, signature: mlflow, events: mlflow, secret_file: s, ${more}}`;
  const [read] = parse(
    endpoint('source: {kind: mlflow, url: "http://127.0.0.1:5000"}, models: {fraud/Detector: fraud-detector}'),
  ).endpoints;
  assert.deepEqual([read?.name, read?.models], ['mlflow', { 'fraud/Detector': 'fraud-detector' }]);
  for (const [more, why] of [
    ['source: {kind: mlflow}', /where is the truth/],
    ['source: {kind: sagemaker, url: "http://x"}', /where is the truth/],
    ['source: {kind: mlflow, url: "nowhere"}', /not an address/],
    ['source: {kind: mlflow, url: "http://x"}, models: {a: "B/C"}', /not the name of a model/],
    ['source: {kind: mlflow, url: "http://x"}, secret: abc', /unknown key/],
  ] as const)
    assert.throws(() => parse(endpoint(more)), why, more);
  for (const [text, why] of [
    ['registry: {url: "registry.hq:5000"}', /not the address/],
    ['registry: {url: "https://registry.hq", user: edge}', /half of the credentials/],
    ['gates: {metrics: {accuracy: {min: good}}}', /a decimal as text/],
    ['gates: {metrics: {accuracy: {}}}', /min and max|fewer/],
  ] as const)
    assert.throws(
      () => parse(text),
      (error) => error instanceof KashiError && why.test(error.toLines().join(' ')),
      text,
    );
  assert.deepEqual(parse('registry: {url: "ecr://123456789012.eu-west-1"}').registry, {
    kind: 'ecr',
    account: '123456789012',
    region: 'eu-west-1',
  });
  const twice = endpoint('source: {kind: mlflow, url: "http://x"}').split('\n');
  assert.throws(() => parse([...twice, twice[1]].join('\n')), /named twice/);
});
