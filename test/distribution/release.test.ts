/** From artefacts to an attested image: what is in it, that it comes out the same again, and what each next version moves. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { artifactFiles } from '../../functions/adapters/artifact-files.ts';
import { MemoryRegistry } from '../../functions/adapters/registry-memory.ts';
import { verifyAttestation } from '../../functions/distribution/attest.ts';
import { blobsOf, copyImage } from '../../functions/distribution/copy-image.ts';
import { planLayers } from '../../functions/distribution/image.ts';
import { releasesOf } from '../../functions/distribution/release-log.ts';
import { tarOf } from '../../functions/distribution/tar.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import type { ImageManifest } from '../../functions/domain/oci.ts';
import { type Files, recipeOf, Supply, testSigner } from './supply.ts';

/** Bytes that depend on the seed alone, and that nothing compresses. */
function weights(seed: string, bytes: number): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < bytes; index += 1) blocks.push(createHash('sha256').update(`${seed}/${index}`).digest());
  return Buffer.concat(blocks).subarray(0, bytes);
}

const MODEL: Files = {
  'config.json': '{"layers":32}',
  'tokenizer/vocab.txt': 'a\nb\n',
  'model-00001.safetensors': weights('one', 300_000),
  'model-00002.safetensors': weights('two', 300_001),
  'model-00003.safetensors': weights('three', 299_999),
};
const SERVER: Files = { serve: '#!/bin/sh\nexec sleep 1\n', 'etc/server.toml': 'port = 8000\n' };

const hasCode = (code: string) => (error: unknown) => error instanceof KashiError && error.code === code;

async function manifestOf(supply: Supply, repository: string, reference: string): Promise<ImageManifest> {
  const found = await supply.registry.manifest(repository, reference);
  assert.ok(found !== null);
  return JSON.parse(Buffer.from(found.bytes).toString('utf8')) as ImageManifest;
}

test('a release that was built on another machine is not pushed from here, and says so', async (t) => {
  const supply = new Supply(t);
  const { release } = await supply.build('v1.0.0', { 'model.safetensors': 'weights' }, { serve: '#!/bin/sh' });
  await assert.rejects(supply.push(release, join(supply.folder, 'empty')), (error) => {
    assert.ok(error instanceof KashiError && error.code === 'not_found', String(error));
    assert.match(error.toLines().join(' '), /not on this machine.*KASHI_WORK.*same digest/);
    return true;
  });
});

test('an image: a layer for the server, one for small files, one a shard; tagged with the version, not root, unpacked byte for byte', async (t) => {
  const supply = new Supply(t);
  const { release, layoutFolder } = await supply.build('v1.0.0', MODEL, SERVER);
  await supply.push(release, layoutFolder);
  const { layers, config, annotations } = await manifestOf(supply, 'staging-models/llama3-8b-sft-service', 'v1.0.0');
  assert.deepEqual(
    layers.map((layer) => layer.annotations?.['org.cncf.model.filepath']),
    ['server', 'model files', 'model-00001.safetensors', 'model-00002.safetensors', 'model-00003.safetensors'],
  );
  assert.equal(annotations?.['dev.kashi.training-job'], 'job-7781');
  const blob = (digest: string): string => join(layoutFolder, 'blobs', 'sha256', digest.slice(7));
  const { config: runs, rootfs } = JSON.parse(readFileSync(blob(config.digest), 'utf8'));
  assert.equal(runs.User, '65532:65532');
  assert.deepEqual(runs.Entrypoint, ['/srv/serve']);
  assert.deepEqual(
    rootfs.diff_ids,
    layers.map(({ digest }) => digest),
    'stored as they are, so the diff id is the digest',
  );

  const root = join(supply.folder, 'root');
  mkdirSync(root);
  for (const { digest } of layers) {
    const done = spawnSync('tar', ['--extract', '--file', blob(digest), '--directory', root], { encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
  }
  for (const [path, content] of Object.entries(MODEL))
    assert.ok(readFileSync(join(root, 'models', path)).equals(Buffer.from(content)), path);
  assert.equal(statSync(join(root, 'srv/serve')).mode & 0o777, 0o755);
  assert.equal(readFileSync(join(root, 'srv/etc/server.toml'), 'utf8'), SERVER['etc/server.toml']);
});

test('the same files in another folder, at another time, written in another order, give the same digest', async (t) => {
  const supply = new Supply(t);
  const first = await supply.build('v1.0.0', MODEL, SERVER);
  supply.clock.at += 86_400_000;
  const again = await supply.build('v1.0.0', Object.fromEntries(Object.entries(MODEL).reverse()), SERVER);
  assert.equal(again.release.image_digest, first.release.image_digest);
  assert.notEqual(again.layoutFolder, first.layoutFolder);
  assert.equal((await releasesOf(supply.store, 'llama3-8b-sft')).length, 1, 'one release');
});

test('the order in which files are listed is not the order in which they are packed', async (t) => {
  const supply = new Supply(t);
  const files = artifactFiles(supply.write({ ...MODEL, 'tokenizer/merges.txt': 'a b\n' }));
  const titles = (listed: typeof files) => planLayers({ modelFiles: listed, serverFiles: [] }).map(({ title }) => title);
  const reversed = [...files].reverse();
  assert.notDeepEqual(reversed, files);
  assert.deepEqual(titles(reversed), titles(files));
  const packed = async (listed: typeof files): Promise<string> => {
    const hash = createHash('sha256');
    for await (const piece of tarOf(listed)) hash.update(piece);
    return hash.digest('hex');
  };
  assert.equal(await packed(reversed), await packed(files));
});

test('another byte of the inputs is another digest, which the same version cannot have', async (t) => {
  const supply = new Supply(t);
  await supply.build('v1.0.0', MODEL, SERVER);
  await assert.rejects(supply.build('v1.0.0', { ...MODEL, 'config.json': '{"layers":33}' }, SERVER), hasCode('conflict'));
});

/** What a version that differs by `change` must move to a registry that has v1: the blobs that it does not have, by size. */
const STEPS: readonly { readonly name: string; readonly model: Files; readonly server: Files; readonly newLayers: number }[] = [
  { name: 'a patch of the server', model: MODEL, server: { ...SERVER, serve: '#!/bin/sh\nexec sleep 2\n' }, newLayers: 1 },
  { name: 'one shard of three', model: { ...MODEL, 'model-00002.safetensors': weights('new', 300_001) }, server: SERVER, newLayers: 1 },
  { name: 'a LoRA adapter', model: { ...MODEL, 'lora/adapter.safetensors': weights('lora', 30_000) }, server: SERVER, newLayers: 1 },
  {
    name: 'every shard',
    model: Object.fromEntries(
      Object.entries(MODEL).map(([path, content], index) => [
        path,
        path.endsWith('.safetensors') ? weights(`all/${index}`, content.length) : content,
      ]),
    ),
    server: SERVER,
    newLayers: 3,
  },
];

for (const { name, model, server, newLayers } of STEPS) {
  test(`bytes moved are the changed layers exactly: ${name}`, async (t) => {
    const supply = new Supply(t);
    const edge = new MemoryRegistry('edge.test');
    const repository = 'staging-models/llama3-8b-sft-service';
    const v1 = await supply.build('v1.0.0', MODEL, SERVER);
    await supply.push(v1.release, v1.layoutFolder);
    await copyImage({ from: supply.registry, repository, to: edge, digest: v1.release.image_digest, tag: 'v1.0.0' });
    const v2 = await supply.build('v2.0.0', model, server);
    const pushed = await supply.push(v2.release, v2.layoutFolder);
    const old = new Set(blobsOf((await supply.registry.manifest(repository, 'v1.0.0'))!).map(({ digest }) => digest));
    const changed = blobsOf((await supply.registry.manifest(repository, 'v2.0.0'))!).filter(({ digest }) => !old.has(digest));
    // The config names the layers, so it changes with them.
    assert.equal(changed.length, newLayers + 1);
    const bytes = changed.reduce((sum, { size }) => sum + size, 0);
    assert.equal(pushed.copied.bytesMoved, bytes);
    const copied = await copyImage({ from: supply.registry, repository, to: edge, digest: v2.release.image_digest, tag: 'v2.0.0' });
    const envelopes = copied.blobs.slice(-2).reduce((sum, one) => sum + one.bytesMoved, 0);
    assert.equal(copied.bytesMoved - envelopes, bytes);
    const back = await copyImage({ from: supply.registry, repository, to: edge, digest: v1.release.image_digest, tag: 'v1.0.0' });
    assert.equal(back.bytesMoved, 0, 'rolling back moves nothing');
  });
}

test('the attestation travels with the image and is believed only for this image, by this key, unchanged', async (t) => {
  const supply = new Supply(t);
  const repository = 'staging-models/llama3-8b-sft-service';
  const { release, layoutFolder } = await supply.build('v1.0.0', MODEL, SERVER);
  const { release: attested } = await supply.push(release, layoutFolder);
  assert.equal(attested.state, 'attested');
  const edge = new MemoryRegistry('edge.test');
  const digest = release.image_digest;
  assert.deepEqual(await verifyAttestation(edge, repository, digest, supply.signer.publicKey), {
    verified: false,
    reasons: ['the image is not in edge.test'],
  });
  await copyImage({ from: supply.registry, repository, to: edge, digest, tag: null });
  const proof = await verifyAttestation(edge, repository, digest, supply.signer.publicKey);
  assert.ok(proof.verified);
  assert.equal(proof.attestationDigest, attested.attestation_digest);
  const { buildDefinition } = proof.statement.predicate;
  assert.equal(buildDefinition.internalParameters.training_job, 'job-7781');
  const shard = buildDefinition.resolvedDependencies.find(({ name }) => name === 'artefact/model-00001.safetensors');
  assert.equal(shard?.digest['sha256'], createHash('sha256').update(MODEL['model-00001.safetensors']!).digest('hex'));

  const other = await verifyAttestation(edge, repository, digest, testSigner().publicKey);
  assert.ok(!other.verified && /not signed by the trusted key/.test(other.reasons.join()));

  const [envelope] = (
    JSON.parse(Buffer.from((await edge.manifest(repository, proof.attestationDigest))!.bytes).toString()) as ImageManifest
  ).layers;
  const bytes = Buffer.from((await supply.registry.manifest(repository, proof.attestationDigest))!.bytes);
  assert.ok(envelope !== undefined && bytes.length > 0);
  const pieces: Uint8Array[] = [];
  for await (const piece of edge.readBlob(repository, envelope)) pieces.push(Buffer.from(piece));
  const changed = Buffer.concat(pieces);
  changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
  edge.corruptBlob(envelope.digest, changed);
  const broken = await verifyAttestation(edge, repository, digest, supply.signer.publicKey);
  assert.ok(!broken.verified && /other bytes than the digest says/.test(broken.reasons.join()));
});

test('an attestation of one image hung on another says nothing', async (t) => {
  const supply = new Supply(t);
  const repository = 'staging-models/llama3-8b-sft-service';
  const v1 = await supply.build('v1.0.0', MODEL, SERVER);
  const v2 = await supply.build('v2.0.0', { ...MODEL, 'config.json': '{}' }, SERVER);
  const { release } = await supply.push(v1.release, v1.layoutFolder);
  await supply.push(v2.release, v2.layoutFolder, testSigner());
  const { registry } = supply;
  const [layer] = (
    JSON.parse(Buffer.from((await registry.manifest(repository, release.attestation_digest!))!.bytes).toString()) as ImageManifest
  ).layers;
  const pieces: Uint8Array[] = [];
  for await (const piece of registry.readBlob(repository, layer!)) pieces.push(piece);
  const image = (await registry.manifest(repository, v2.release.image_digest))!;
  const { attachAttestation } = await import('../../functions/distribution/attest.ts');
  await attachAttestation(
    registry,
    repository,
    { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length },
    Buffer.concat(pieces),
  );
  const verdict = await verifyAttestation(registry, repository, image.digest, supply.signer.publicKey);
  assert.ok(!verdict.verified);
  assert.deepEqual(verdict.reasons.map((reason) => reason.slice(21)).sort(), [
    'it is about another image',
    'it is not signed by the trusted key',
  ]);
});

test('a recipe runs its commands one after the other, and its record names what went in and came out', async (t) => {
  const supply = new Supply(t);
  const script = `import{readdirSync,readFileSync,writeFileSync}from'node:fs';const[,,a,b,by]=process.argv;for(const f of readdirSync(a))writeFileSync(b+'/'+f,readFileSync(a+'/'+f).subarray(0,Number(by)));`;
  const tool = join(supply.write({ 'cut.mjs': script }), 'cut.mjs');
  const recipe = `
name: cut
variant: {name: cut, precision: int4}
run:
  - [${process.execPath}, ${tool}, '{in}', '{out}', '1000']
  - [${process.execPath}, ${tool}, '{in}', '{out}', '10']
entrypoint: [/srv/serve]
`;
  const { release, layoutFolder } = await supply.build('v1.0.0', { 'a.safetensors': weights('a', 5_000) }, SERVER, recipe);
  assert.equal(release.tag, 'v1.0.0-cut');
  const record = JSON.parse(Buffer.from((await supply.store.get(`objects/${release.recipe_digest}`))!).toString());
  assert.deepEqual(record.inputs, [
    { path: 'a.safetensors', bytes: 5_000, sha256: createHash('sha256').update(weights('a', 5_000)).digest('hex') },
  ]);
  assert.deepEqual(record.outputs, [
    { path: 'a.safetensors', bytes: 10, sha256: createHash('sha256').update(weights('a', 10)).digest('hex') },
  ]);
  assert.ok(existsSync(layoutFolder));
  assert.ok(readdirSync(join(supply.folder, 'recipes')).length === 2, 'a folder a command');
});

test('a recipe that fails says which command and what it printed', async (t) => {
  const supply = new Supply(t);
  const recipe = (command: string) => `{name: broken, run: [[${process.execPath}, -e, "${command}"]], entrypoint: [/srv/serve]}`;
  const build = (text: string) => supply.build('v1.0.0', MODEL, SERVER, text);
  await assert.rejects(build(recipe("console.error('no calibration data');process.exit(3)")), (error) => {
    assert.ok(error instanceof KashiError);
    assert.equal(error.details.found, 'exit code 3');
    assert.equal(error.details.hint, 'no calibration data');
    return true;
  });
  await assert.rejects(build(recipe('0')), /made nothing/);
  await assert.rejects(build('{name: absent, run: [[no-such-program-of-kashi]], entrypoint: [/srv/serve]}'), /cannot be started/);
});

test('recipes and shards that cannot become an image are refused before any work', () => {
  assert.throws(() => recipeOf('{name: x, entrypoint: [a], base: "hq.test/base/vllm:latest"}'), /named by digest/);
  assert.throws(() => recipeOf('{name: x, entrypoint: [a], variant: {name: "a b"}}'), /variant/);
  assert.throws(() => recipeOf('{name: x, entrypoint: [a], runs: []}'), /unknown key/);
  const shard = { path: 'a.safetensors', bytes: 52_000 * 1024 * 1024, executable: false, open: async function* () {} };
  assert.equal(planLayers({ modelFiles: [shard], serverFiles: [] }).length, 1);
  assert.throws(() => planLayers({ modelFiles: [{ ...shard, bytes: shard.bytes + 1 }], serverFiles: [] }), /larger than a layer/);
  assert.throws(() => planLayers({ modelFiles: [], serverFiles: [] }), /without files/);
});

test('a base image comes first, by digest, and is not built again', async (t) => {
  const supply = new Supply(t);
  const base = await supply.build('v0.0.1', { 'base.bin': weights('base', 10_000) }, SERVER);
  await supply.push(base.release, base.layoutFolder);
  const reference = `hq.test/staging-models/llama3-8b-sft-service@${base.release.image_digest}`;
  const { release, layoutFolder } = await supply.build(
    'v1.0.0',
    MODEL,
    SERVER,
    `{name: based, entrypoint: [/srv/serve], base: "${reference}"}`,
  );
  await supply.push(release, layoutFolder);
  const repository = 'staging-models/llama3-8b-sft-service';
  const [under, over] = [await manifestOf(supply, repository, 'v0.0.1'), await manifestOf(supply, repository, 'v1.0.0')];
  assert.deepEqual(
    over.layers.slice(0, under.layers.length).map(({ digest }) => digest),
    under.layers.map(({ digest }) => digest),
  );
  const verdict = await verifyAttestation(supply.registry, repository, release.image_digest, supply.signer.publicKey);
  assert.ok(verdict.verified && verdict.statement.predicate.buildDefinition.resolvedDependencies.some(({ uri }) => uri === reference));
});
