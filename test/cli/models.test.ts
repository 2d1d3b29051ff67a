/** The supply side as a person starts it: registering, gates that say why, an image without a registry, a hook that is taken and worked off. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseModelsFile } from '../../functions/distribution/models-file.ts';
import { parseRecipe } from '../../functions/distribution/recipe.ts';
import { parseOneYaml } from '../../functions/domain/yaml-config.ts';
import { json, kashi, LAUNCH } from './run.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/models/', import.meta.url));
const VERSION = 'llama3-8b-sft:v2.1.0';

describe('the supply side on the command line', () => {
  let centre = '';
  const run = (...words: string[]) => kashi([...words, '--config', join(centre, 'kashi.yaml')], { cwd: centre });

  before(() => {
    centre = mkdtempSync(join(tmpdir(), 'kashi-models-'));
    writeFileSync(join(centre, 'kashi.yaml'), 'warehouse: ./warehouse\n');
    mkdirSync(join(centre, 'out'));
    mkdirSync(join(centre, 'server'));
    writeFileSync(join(centre, 'out', 'model.safetensors'), 'weights');
    writeFileSync(join(centre, 'server', 'serve'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(centre, 'recipe.yaml'), 'name: plain\nserver: server\nentrypoint: [/srv/serve]\n');
  });
  after(() => rmSync(centre, { recursive: true, force: true }));

  it('registers once, and says so the second time', () => {
    const words = [
      'model',
      'register',
      VERSION,
      '--artifacts',
      join(centre, 'out'),
      '--metric',
      'accuracy=0.8125',
      '--training-job',
      'job-1',
      '--by',
      'Li Wei',
    ];
    assert.match(run(...words).stdout, /is registered/);
    assert.match(run(...words).stdout, /Already so/);
    const changed = run(...words, '--metric', 'accuracy=0.9', '--json');
    assert.equal(changed.code, 2);
    assert.deepEqual(json<{ error: { code: string; found: string } }>(changed).error.found, 'another metrics');
  });

  it('builds without a registry, twice to the same digest, and leaves nothing lying about', () => {
    const build = ['release', 'build', VERSION, '--recipe', join(centre, 'recipe.yaml'), '--json'];
    const [first, second] = [run(...build), run(...build)];
    const digest = json<{ image_digest: string; layout: string }>(first);
    assert.equal(digest.image_digest, json<{ image_digest: string }>(second).image_digest);
    assert.ok(existsSync(join(digest.layout, 'index.json')));
    assert.match(run('release', 'show').stdout, /llama3-8b-sft {2}v2\.1\.0 {3}default {2}built/);
  });

  it('says what is missing, with exit code 2 and without a stack', () => {
    for (const [words, why] of [
      [['model', 'promote', VERSION, '--by', 'a', '--reason', 'b'], /there is no registry/],
      [['model', 'promote', VERSION, '--by', 'a', '--reason', 'b', '--registry', 'http://127.0.0.1:1'], /cannot be reached/],
      [['model', 'show', 'nobody:v1'], /no such model/],
      [['model', 'register', 'Llama3', '--by', 'a'], /not a model version/],
      [['model', 'register', 'a:v1', '--by', 'a', '--metric', 'accuracy'], /not a pair/],
      [['release', 'push', 'nobody:v1', '--registry', 'http://127.0.0.1:1'], /no release was built/],
      [['release', 'build', 'nobody:v1', '--recipe', join(centre, 'recipe.yaml')], /no such model/],
      [['hooks', 'serve'], /no endpoint/],
      [['hooks', 'replay', 'mlflow/x'], /no such hook/],
    ] as const) {
      const { code, stderr } = run(...words);
      assert.equal(code, 2, words.join(' '));
      assert.match(stderr, why);
      assert.doesNotMatch(stderr, /\n {4}at /);
    }
  });

  it('takes a signed hook, asks the registry that it names, and registers what is true', async () => {
    const answer = { model_version: { name: 'fraud/Detector', version: '3', source: 's3://m/3', run_id: '', aliases: ['champion'] } };
    const truth = createServer((_request, response) => void response.end(JSON.stringify(answer))).listen(0, '127.0.0.1');
    await once(truth, 'listening');
    const { port } = truth.address() as { port: number };
    writeFileSync(join(centre, 'mlflow.secret'), 'a-secret-of-the-mlflow-server\n');
    writeFileSync(join(centre, 'other.secret'), `whsec_${Buffer.from('another secret altogether').toString('base64')}\n`);
    const source = `source: {kind: mlflow, url: "http://127.0.0.1:${port}"}, models: {fraud/Detector: fraud-detector}`;
    writeFileSync(join(centre, 'ci.secret'), `whsec_${Buffer.from('a secret of the pipeline').toString('base64')}\n`);
    const endpoints = [
      `{name: mlflow, signature: mlflow, events: mlflow, secret_file: mlflow.secret, ${source}}`,
      `{name: ci, signature: standard, events: kashi, secret_file: ci.secret, source: {kind: kashi, url: "http://127.0.0.1:${port}"}}`,
    ];
    writeFileSync(join(centre, 'models.yaml'), `endpoints:\n${endpoints.map((one) => `  - ${one}\n`).join('')}`);
    const server = spawn(
      process.execPath,
      [LAUNCH, 'hooks', 'serve', '--listen', '127.0.0.1:0', '--json', '--config', join(centre, 'kashi.yaml')],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      let printed = '';
      for await (const piece of server.stdout.setEncoding('utf8')) {
        printed += piece;
        if (printed.includes('}')) break;
      }
      const { listening } = JSON.parse(printed) as { listening: string };
      const body = JSON.stringify({
        entity: 'model_version_alias',
        action: 'created',
        timestamp: 'x',
        data: { name: 'fraud/Detector', alias: 'champion', version: '3' },
      });
      const seconds = String(Math.floor(Date.now() / 1000));
      const signature = `v1,${createHmac('sha256', 'a-secret-of-the-mlflow-server').update(`id-1.${seconds}.${body}`).digest('base64')}`;
      const headers = { 'x-mlflow-delivery-id': 'id-1', 'x-mlflow-timestamp': seconds, 'x-mlflow-signature': signature };
      assert.equal((await fetch(`${listening}/v1/hooks/mlflow`, { method: 'POST', headers, body })).status, 202);
      const sent = ['hooks', 'send', VERSION, '--to', `${listening}/v1/hooks/ci`, '--secret-file', join(centre, 'ci.secret')];
      assert.match(kashi(sent, { cwd: centre }).stdout, /^Taken: HTTP 202/);
      const wrong = kashi([...sent.slice(0, -1), join(centre, 'other.secret'), '--json'], { cwd: centre });
      assert.deepEqual([wrong.code, json<{ answer: string }>(wrong).answer], [1, 'HTTP 401']);
      let state = '';
      for (let tries = 0; tries < 100 && state !== 'done'; tries += 1) {
        await sleep(200);
        state =
          json<{ hooks: { id: string; state: string }[] }>(run('hooks', 'list', '--json')).hooks.find((hook) =>
            hook.id.startsWith('mlflow/'),
          )?.state ?? '';
      }
      assert.equal(state, 'done');
      const shown = json<{ stage: string; provenance: { origin: string } }>(run('model', 'show', 'fraud-detector:3', '--json'));
      assert.deepEqual([shown.stage, shown.provenance.origin], ['staging', `mlflow:http://127.0.0.1:${port}`]);
    } finally {
      server.kill('SIGTERM');
      const [code] = (await once(server, 'exit')) as [number];
      truth.close();
      assert.equal(code, 0);
    }
  });

  it('the examples are read as they are', () => {
    const read = (name: string): string => readFileSync(join(EXAMPLES, name), 'utf8');
    const models = parseModelsFile(parseOneYaml(read('models.yaml'), 'models.yaml'), 'models.yaml', () => 'a-secret-of-the-registry');
    assert.deepEqual(
      models.endpoints.map(({ name }) => name),
      ['mlflow', 'hub', 'sagemaker'],
    );
    assert.equal(parseRecipe(parseOneYaml(read('recipe.yaml'), 'recipe.yaml'), 'recipe.yaml').variant.name, 'int4');
  });
});
