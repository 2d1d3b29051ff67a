/** A real MLflow server: it signs and posts its own webhook, kashi verifies it, asks the server's REST API and registers what is there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_LISTEN, listenHttp } from '../../functions/adapters/http-receiver.ts';
import { mlflowSource } from '../../functions/adapters/model-source-http.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { makeIntake } from '../../functions/distribution/intake.ts';
import { drain, readQueue } from '../../functions/distribution/intake-queue.ts';
import { applyHook } from '../../functions/distribution/intake-truth.ts';
import { readModel } from '../../functions/distribution/model-registry.ts';
import { parseInboundSecrets } from '../../functions/domain/hook-verify.ts';
import { freePort } from '../support/docker-registry.ts';
import { pythonWith } from '../support/optional-tools.ts';

const PACKAGES = [
  'mlflow-skinny==3.6.0',
  'flask',
  'flask-cors',
  'alembic',
  'graphene',
  'sqlalchemy==2.0.44',
  'cachetools',
  'cryptography',
  'fastapi',
];
const python = pythonWith('mlflow-server', PACKAGES);
const SECRET = 'a-secret-of-the-mlflow-server';

type Post = (path: string, body: object) => Promise<Record<string, unknown>>;

async function startMlflow(t: TestContext): Promise<{ url: string; post: Post }> {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-mlflow-'));
  const database = `sqlite:///${join(folder, 'mlflow.db')}`;
  const port = await freePort();
  const env = {
    ...process.env,
    _MLFLOW_SERVER_FILE_STORE: database,
    _MLFLOW_SERVER_REGISTRY_STORE: database,
    _MLFLOW_SERVER_ARTIFACT_ROOT: join(folder, 'artifacts'),
    MLFLOW_WEBHOOK_ALLOWED_SCHEMES: 'http',
    MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64url').padEnd(44, '='),
  };
  const server = spawn(python as string, ['-m', 'flask', '--app', 'mlflow.server:app', 'run', '--port', String(port)], {
    env,
    stdio: 'ignore',
  });
  t.after(async () => {
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  const healthy = (): Promise<boolean> =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  for (let tries = 0; tries < 300 && !(await healthy()); tries += 1) await sleep(200);
  const post: Post = async (path, body) => {
    const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    assert.equal(answer.status, 200, `${path}: ${text.slice(0, 500)}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  return { url, post };
}

/** A version with a run behind it, as a training job leaves it. */
async function train(post: Post): Promise<string> {
  const { experiment_id } = await post('experiments/create', { name: 'fraud' });
  const tags = [
    { key: 'mlflow.source.name', value: 'train.py' },
    { key: 'mlflow.source.git.commit', value: '0123456789abcdef0123456789abcdef01234567' },
  ];
  const { run } = (await post('runs/create', { experiment_id, start_time: Date.now(), tags })) as { run: { info: { run_id: string } } };
  const { run_id } = run.info;
  const metric = (key: string, value: number) => ({ key, value, timestamp: 1, step: 0 });
  await post('runs/log-batch', { run_id, metrics: [metric('auc', 0.9125), metric('leak', 1e-7)], params: [{ key: 'lr', value: '2e-5' }] });
  const tagged = { name: 'fraud/Detector', source: 's3://models/fraud/1', run_id, tags: [{ key: 'training_job', value: 'job-9' }] };
  await post('model-versions/create', tagged);
  return run_id;
}

if (python === null) test('mlflow', { skip: 'it cannot be had here' }, () => {});
else
  test('an alias that is set in MLflow arrives signed, and what MLflow knows of the version is registered here', async (t) => {
    const store = memoryStore();
    const clock = { now: () => Date.now() };
    const endpoint = (name: string, secret: string) => ({
      name,
      signature: 'mlflow' as const,
      events: 'mlflow' as const,
      secrets: parseInboundSecrets(secret, 'mlflow', name),
    });
    const notes: string[] = [];
    const endpoints = [endpoint('mlflow', SECRET), endpoint('stranger', 'a-secret-that-mlflow-does-not-know')];
    const listening = await listenHttp(makeIntake({ store, clock, endpoints, onNote: (note) => notes.push(note) }), {
      ...DEFAULT_LISTEN,
      host: '127.0.0.1',
      port: 0,
    });
    t.after(() => listening.close());
    const { url, post } = await startMlflow(t);
    await post('registered-models/create', { name: 'fraud/Detector' });
    for (const { name } of endpoints)
      await post('webhooks', {
        name,
        url: `http://127.0.0.1:${listening.port}/v1/hooks/${name}`,
        events: [
          { entity: 'MODEL_VERSION_ALIAS', action: 'CREATED' },
          { entity: 'MODEL_VERSION_ALIAS', action: 'DELETED' },
        ],
        secret: SECRET,
      });
    const runId = await train(post);
    await post('registered-models/alias', { name: 'fraud/Detector', alias: 'champion', version: '1' });
    for (let tries = 0; tries < 100 && ((await readQueue(store)).length < 1 || notes.length < 1); tries += 1) await sleep(200);
    assert.deepEqual(notes, ['stranger: no signature by a known secret']);

    const source = mlflowSource(url, null);
    const work = () =>
      drain(
        store,
        clock,
        async (hook) =>
          void (await applyHook({ store, clock }, { source, models: { 'fraud/Detector': 'fraud-detector' }, staging: ['champion'] }, hook)),
      );
    assert.deepEqual(
      (await work()).map(({ state, pointers }) => [state, pointers]),
      [['done', [{ model: 'fraud/Detector', version: '1' }]]],
    );
    const version = (await readModel(store, 'fraud-detector')).versions.get('1');
    assert.equal(version?.stage, 'staging');
    assert.deepEqual(version?.metrics, { auc: '0.9125', leak: '1e-7' });
    assert.deepEqual(version?.provenance, {
      script: 'train.py',
      code_revision: '0123456789abcdef0123456789abcdef01234567',
      data_set: '',
      hyperparameters: { lr: '2e-5' },
      training_job: 'job-9',
      artifacts: 's3://models/fraud/1',
      origin: `mlflow:${url}`,
      origin_id: runId,
    });
    assert.deepEqual(
      (await source.versions('fraud/Detector', '*')).map((one) => [one.version, one.aliases]),
      [['1', ['champion']]],
    );
    assert.deepEqual(await source.versions('fraud/Detector', '9'), []);
    assert.deepEqual(await source.versions('nobody', '*'), []);
  });
