/** A model of 256 MiB through real registries: what each next version moves from the builder to headquarters and from there to an edge, in bytes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ociRegistry } from '../../functions/adapters/registry-oci.ts';
import { verifyAttestation } from '../../functions/distribution/attest.ts';
import { blobsOf, copyImage } from '../../functions/distribution/copy-image.ts';
import { dockerRegistryBinary, startDockerRegistry } from '../support/docker-registry.ts';
import { type Files, Supply } from './supply.ts';

const MIB = 1024 * 1024;
const REPOSITORY = 'staging-models/llama3-8b-sft-service';
const binary = dockerRegistryBinary();
const mib = (bytes: number): string => `${(bytes / MIB).toFixed(3)} MiB`;

if (binary === null) test('registries', { skip: 'docker-registry cannot be had here' }, () => {});
else
  test('bytes moved are the changed layers exactly, a rollback moves none, a rebuild is the same digest', async (t) => {
    const supply = new Supply(t);
    const [hqServer, edgeServer] = [
      await startDockerRegistry(binary, `${supply.folder}/hq`),
      await startDockerRegistry(binary, `${supply.folder}/edge`),
    ];
    t.after(() => Promise.all([hqServer.stop(), edgeServer.stop()]));
    const [hq, edge] = [ociRegistry({ url: hqServer.url }), ociRegistry({ url: edgeServer.url })];
    Object.assign(supply, { registry: hq });
    const shards = Object.fromEntries([1, 2, 3, 4].map((index) => [`model-0000${index}.safetensors`, randomBytes(64 * MIB)]));
    const model: Files = { 'config.json': '{"layers":32}', ...shards };
    const server: Files = { serve: '#!/bin/sh\nexec sleep 1\n' };

    const held = new Set<string>();
    const send = async (name: string, version: string, files: Files, serverFiles: Files): Promise<string> => {
      const { release, layoutFolder } = await supply.build(version, files, serverFiles);
      const { copied } = await supply.push(release, layoutFolder);
      const image = await hq.manifest(REPOSITORY, version);
      assert.ok(image !== null);
      const changed = blobsOf(image).filter(({ digest }) => !held.has(digest));
      const expected = changed.reduce((sum, { size }) => sum + size, 0);
      assert.equal(copied.bytesMoved, expected, `${name} to headquarters`);
      const started = performance.now();
      const { bytesMoved, bytesTotal, blobs } = await copyImage({
        from: hq,
        repository: REPOSITORY,
        to: edge,
        digest: release.image_digest,
        tag: version,
      });
      const attestation = blobs
        .filter(({ digest }) => !blobsOf(image).some((own) => own.digest === digest))
        .reduce((sum, one) => sum + one.bytesMoved, 0);
      assert.equal(bytesMoved - attestation, expected, `${name} to the edge`);
      for (const { digest } of blobsOf(image)) held.add(digest);
      const verdict = await verifyAttestation(edge, REPOSITORY, release.image_digest, supply.signer.publicKey);
      assert.ok(verdict.verified, name);
      t.diagnostic(
        `${name}: ${mib(expected)} of ${mib(bytesTotal)} moved, ${changed.length} blobs, attestation ${attestation} bytes, ${Math.round(performance.now() - started)} ms HQ → edge`,
      );
      return release.image_digest;
    };

    const first = await send('first version', 'v1.0.0', model, server);
    await send('server patch', 'v1.0.1', model, { serve: '#!/bin/sh\nexec sleep 2\n' });
    await send('one shard of four', 'v1.1.0', { ...model, 'model-00003.safetensors': randomBytes(64 * MIB) }, server);
    await send('LoRA adapter', 'v1.2.0', { ...model, 'lora/adapter.safetensors': randomBytes(8 * MIB) }, server);

    const back = await copyImage({ from: hq, repository: REPOSITORY, to: edge, digest: first, tag: 'v1.0.0' });
    assert.equal(back.bytesMoved, 0);
    t.diagnostic('rollback to the first version: 0 bytes moved');
    const again = await supply.build('v1.0.0', model, server);
    assert.equal(again.release.image_digest, first);
    t.diagnostic(`rebuild: the same digest, ${first.slice(0, 23)}…`);
    const production = await copyImage({
      from: hq,
      repository: REPOSITORY,
      to: hq,
      toRepository: REPOSITORY.replace('staging', 'production'),
      digest: first,
      tag: 'v1.0.0',
    });
    assert.equal(production.bytesMoved, 0);
    assert.ok((await verifyAttestation(hq, REPOSITORY.replace('staging', 'production'), first, supply.signer.publicKey)).verified);
    t.diagnostic('into the production repository: mounted, 0 bytes moved');
  });
