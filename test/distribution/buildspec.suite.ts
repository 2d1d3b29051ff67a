/** The commands that deploy/release/buildspec.yml gives to CodeBuild, run here against a real registry, and the promotion after them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { json, kashi } from '../cli/run.ts';
import { dockerRegistryBinary, startDockerRegistry } from '../support/docker-registry.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const SPEC = parse(readFileSync(join(ROOT, 'deploy/release/buildspec.yml'), 'utf8')) as { phases: { build: { commands: string[] } } };
const VERSION = 'llama3-8b-sft:v2.1.0';
const PRICES = `kind: book
currency: CNY
---
kind: token_price
entries:
  - {id: chat, approved_by: cfo, per_million: {input_uncached: "2", output: "8"}, model: llama3-8b-sft, effective_from: 2026-01-01}
`;
const binary = dockerRegistryBinary();

if (binary === null) test('buildspec', { skip: 'docker-registry cannot be had here' }, () => {});
else
  test('the build phase builds, pushes and verifies; the version is promoted by what it left', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kashi-buildspec-'));
    const registry = await startDockerRegistry(binary, join(folder, 'registry'));
    t.after(async () => {
      await registry.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const write = (path: string, text: string, mode = 0o644): void => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text, { mode });
    };
    write('kashi.yaml', 'price_book: prices.yaml\n');
    write('prices.yaml', PRICES);
    write('models.yaml', `registry: {url: "${registry.url}"}\n`);
    write('recipe.yaml', 'name: plain\nserver: server\nentrypoint: [/srv/serve]\n');
    write('server/serve', '#!/bin/sh\n', 0o755);
    write('artifacts/model.safetensors', 'weights');
    // What npm ci leaves in the source of the build.
    mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
    symlinkSync(join(ROOT, 'functions/cli/launch.js'), join(folder, 'node_modules/.bin/kashi'));
    const run = (...words: string[]) => kashi([...words, '--by', 'Li Wei', '--reason', 'test', '--json'], { cwd: folder });
    assert.equal(kashi(['model', 'register', VERSION, '--by', 'Li Wei'], { cwd: folder }).code, 0);
    const env = { ...process.env, MODEL_VERSION: VERSION, RECIPE: 'recipe.yaml', KASHI_WAREHOUSE: 'warehouse', KASHI_CONFIG: 'kashi.yaml' };
    for (const command of SPEC.phases.build.commands) {
      const { status, stderr } = spawnSync('bash', ['-c', command], { cwd: folder, env, encoding: 'utf8' });
      assert.equal(status, 0, `${command}\n${stderr}`);
    }
    const pushed = JSON.parse(readFileSync(join(folder, 'pushed.json'), 'utf8')) as { releases: { image_digest: string; state: string }[] };
    assert.equal(pushed.releases[0]?.state, 'attested');
    assert.equal(run('model', 'promote', VERSION).code, 1, 'not yet in staging, not yet approved');
    assert.equal(run('model', 'promote', VERSION, '--to', 'staging').code, 0);
    assert.equal(kashi(['model', 'approve', VERSION, '--by', 'Zhao Min', '--reason', 'test'], { cwd: folder }).code, 0);
    const promoted = run('model', 'promote', VERSION);
    assert.equal(promoted.code, 0, promoted.stderr);
    const { generation, bytes_moved } = json<{ generation: number; bytes_moved: number }>(promoted);
    assert.deepEqual([generation, bytes_moved], [1, 0]);
    const verified = kashi(['release', 'verify', VERSION, '--deep', '--json'], { cwd: folder });
    const { images } = json<{ images: { image: string; ok: boolean }[] }>(verified);
    assert.deepEqual(
      images.map(({ image, ok }) => [image, ok]),
      [[`${registry.host}/production-models/llama3-8b-sft-service@${pushed.releases[0]?.image_digest}`, true]],
    );
  });
