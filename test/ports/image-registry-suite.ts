/** What every image registry must do, whatever is behind it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { canonicalJson, sha256Hex } from '../../functions/domain/canonical-json.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { type Descriptor, EMPTY_BLOB, type ImageManifest, MEDIA } from '../../functions/domain/oci.ts';
import type { BlobSource, ImageRegistry } from '../../functions/ports.ts';

export interface RegistryTraits {
  /** Has repositories that blobs are mounted between; a layout is one repository. */
  readonly repositories: boolean;
  /** Refuses a manifest whose blobs it has not seen. */
  readonly checksBlobs: boolean;
  /** Lists referrers. */
  readonly referrers: boolean;
}

const hasCode = (code: string) => (error: unknown) => error instanceof KashiError && error.code === code;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export function blob(bytes: Uint8Array): BlobSource & Pick<Descriptor, 'digest' | 'size'> {
  return {
    digest: `sha256:${sha256Hex(bytes)}`,
    size: bytes.length,
    open: async function* (fromByte: number) {
      for (let at = fromByte; at < bytes.length; at += 100_000) yield bytes.subarray(at, Math.min(at + 100_000, bytes.length));
    },
  };
}

export async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** A manifest over one layer that is in the repository; `note` makes it another one. */
export async function pushImage(
  registry: ImageRegistry,
  repository: string,
  layer: Uint8Array,
  tag: string | null,
  note = '',
): Promise<{ digest: string; bytes: Uint8Array }> {
  const [config, body] = [blob(text(`{"note":"${note}"}`)), blob(layer)];
  await registry.putBlob(repository, config);
  await registry.putBlob(repository, body);
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: { mediaType: MEDIA.config, digest: config.digest, size: config.size },
    layers: [{ mediaType: MEDIA.layer, digest: body.digest, size: body.size }],
  };
  const bytes = text(canonicalJson(manifest));
  return { digest: await registry.putManifest(repository, { mediaType: MEDIA.manifest, bytes }, tag), bytes };
}

/** Runs the suite; `open` gives a registry in which these repositories are new. */
export function imageRegistrySuite(name: string, traits: RegistryTraits, open: () => Promise<ImageRegistry>): void {
  const repository = 'staging-models/suite-service';

  describe(`image registry: ${name}`, () => {
    test('what is absent is null', async () => {
      const registry = await open();
      const absent = `sha256:${sha256Hex('absent')}`;
      assert.equal(await registry.manifest(repository, 'v1'), null);
      assert.equal(await registry.manifest(repository, absent), null);
      assert.equal(await registry.blobBytes(repository, absent), null);
      assert.deepEqual(await registry.referrers(repository, absent), []);
    });

    test('a blob comes back whole and in parts, and is sent once', async () => {
      const registry = await open();
      const bytes = randomBytes(300_001);
      const source = blob(bytes);
      assert.deepEqual(await registry.putBlob(repository, source), { how: 'uploaded', bytesMoved: 300_001 });
      assert.deepEqual(await registry.putBlob(repository, source), { how: 'exists', bytesMoved: 0 });
      assert.equal(await registry.blobBytes(repository, source.digest), 300_001);
      assert.ok((await bytesOf(registry.readBlob(repository, source))).equals(bytes));
      assert.ok((await bytesOf(registry.readBlob(repository, source, 100_000, 200_001))).equals(bytes.subarray(100_000, 200_001)));
      assert.ok((await bytesOf(registry.readBlob(repository, source, 300_000))).equals(bytes.subarray(300_000)));
    });

    test('bytes that are not their digest are refused', async () => {
      const registry = await open();
      const wrong = { ...blob(text('these bytes')), digest: `sha256:${sha256Hex('other bytes')}` };
      await assert.rejects(registry.putBlob(repository, wrong), hasCode('store_corrupt'));
      assert.equal(await registry.blobBytes(repository, wrong.digest), null);
    });

    test('an image is found by tag and by digest, byte for byte', async () => {
      const registry = await open();
      const { digest, bytes } = await pushImage(registry, repository, text('layer'), 'v1');
      for (const reference of ['v1', digest]) {
        const found = await registry.manifest(repository, reference);
        assert.equal(found?.digest, digest);
        assert.equal(found?.mediaType, MEDIA.manifest);
        assert.ok(Buffer.from(found?.bytes ?? []).equals(bytes), reference);
      }
    });

    test('a tag never moves; the same image under it again is no change', async () => {
      const registry = await open();
      const { digest } = await pushImage(registry, repository, text('first'), 'v1');
      assert.equal((await pushImage(registry, repository, text('first'), 'v1')).digest, digest);
      await assert.rejects(pushImage(registry, repository, text('second'), 'v1'), hasCode('conflict'));
      assert.equal((await registry.manifest(repository, 'v1'))?.digest, digest);
      const third = await pushImage(registry, repository, text('second'), 'v2');
      assert.notEqual(third.digest, digest);
    });

    test('an image without a tag is there by its digest', async () => {
      const registry = await open();
      const { digest } = await pushImage(registry, repository, text('untagged'), null);
      assert.equal((await registry.manifest(repository, digest))?.digest, digest);
    });

    test('referrers are listed with their type, each once', { skip: !traits.referrers }, async () => {
      const registry = await open();
      const { digest, bytes } = await pushImage(registry, repository, text('attested'), 'v1');
      const subject: Descriptor = { mediaType: MEDIA.manifest, digest, size: bytes.length };
      await registry.putBlob(repository, blob(EMPTY_BLOB));
      const attach = async (artifactType: string, content: string): Promise<string> => {
        const layer = blob(text(content));
        await registry.putBlob(repository, layer);
        const manifest: ImageManifest = {
          schemaVersion: 2,
          mediaType: MEDIA.manifest,
          artifactType,
          config: { mediaType: MEDIA.empty, digest: blob(EMPTY_BLOB).digest, size: 2 },
          layers: [{ mediaType: artifactType, digest: layer.digest, size: layer.size }],
          subject,
        };
        return await registry.putManifest(repository, { mediaType: MEDIA.manifest, bytes: text(canonicalJson(manifest)) }, null);
      };
      const first = await attach('application/vnd.kashi.a', 'one');
      const second = await attach('application/vnd.kashi.b', 'two');
      await attach('application/vnd.kashi.a', 'one');
      assert.deepEqual((await registry.referrers(repository, digest)).map((one) => one.digest).sort(), [first, second].sort());
      const typed = await registry.referrers(repository, digest, 'application/vnd.kashi.b');
      assert.deepEqual(
        typed.map((one) => [one.digest, one.artifactType]),
        [[second, 'application/vnd.kashi.b']],
      );
      assert.equal((await registry.manifest(repository, second))?.digest, second);
    });

    test('a manifest before its blobs is refused', { skip: !traits.checksBlobs }, async () => {
      const registry = await open();
      const layer = blob(text('never sent'));
      const manifest = {
        schemaVersion: 2,
        mediaType: MEDIA.manifest,
        config: { mediaType: MEDIA.config, digest: layer.digest, size: layer.size },
        layers: [],
      };
      await assert.rejects(
        registry.putManifest(repository, { mediaType: MEDIA.manifest, bytes: text(canonicalJson(manifest)) }, 'v9'),
        KashiError,
      );
      assert.equal(await registry.manifest(repository, 'v9'), null);
    });

    test('a blob of another repository is mounted without moving a byte', { skip: !traits.repositories }, async () => {
      const registry = await open();
      const source = blob(randomBytes(50_000));
      await registry.putBlob(repository, source);
      const other = 'production-models/suite-service';
      assert.equal(await registry.blobBytes(other, source.digest), null);
      assert.deepEqual(await registry.putBlob(other, source, repository), { how: 'mounted', bytesMoved: 0 });
      assert.equal(await registry.blobBytes(other, source.digest), 50_000);
      const third = blob(randomBytes(20_000));
      assert.deepEqual(
        await registry.putBlob(other, third, repository),
        { how: 'uploaded', bytesMoved: 20_000 },
        'not there to be mounted',
      );
    });

    test('two writers of one blob both succeed', async () => {
      const registry = await open();
      const source = blob(randomBytes(200_000));
      await Promise.all([registry.putBlob(repository, source), registry.putBlob(repository, source)]);
      assert.ok((await bytesOf(registry.readBlob(repository, source))).length === 200_000);
    });
  });
}
