/** The suite of image registries on Debian's docker-registry, and what only a network shows: uploads that break, processes that die, credentials. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { ociRegistry } from '../../functions/adapters/registry-oci.ts';
import { fileUploadMemory } from '../../functions/adapters/registry-oci-upload.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { TransientStoreError } from '../../functions/ports.ts';
import { dockerRegistryBinary, type RunningRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { blob, bytesOf, imageRegistrySuite } from './image-registry-suite.ts';

const binary = dockerRegistryBinary();
const folder = mkdtempSync(join(tmpdir(), 'kashi-registry-'));
const running: RunningRegistry[] = [];
let started = 0;
after(async () => {
  for (const registry of running) await registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(htpasswd?: string): Promise<RunningRegistry> {
  const registry = await startDockerRegistry(
    binary as string,
    join(folder, `registry-${started++}`),
    htpasswd === undefined ? {} : { htpasswd },
  );
  running.push(registry);
  return registry;
}

/** A line to the registry that is cut after so many bytes to it or from it, over all connections, once. */
async function breakingLine(
  t: TestContext,
  port: number,
  cut: { toServer?: number; fromServer?: number },
): Promise<{ url: string; cuts(): number }> {
  let cuts = 0;
  const seen = { toServer: 0, fromServer: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const pass = (from: Socket, to: Socket, way: 'toServer' | 'fromServer'): void => {
      from.on('data', (piece: Buffer) => {
        seen[way] += piece.length;
        if (cuts === 0 && seen[way] > (cut[way] ?? Number.POSITIVE_INFINITY)) {
          cuts += 1;
          end();
        } else to.write(piece);
      });
      from.on('close', end);
    };
    pass(client, upstream, 'toServer');
    pass(upstream, client, 'fromServer');
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, cuts: () => cuts };
}

if (binary === null) test('docker-registry', { skip: 'it cannot be had here' }, () => {});
else {
  imageRegistrySuite('docker-registry', { repositories: true, checksBlobs: true, referrers: true }, async () =>
    ociRegistry({ url: (await start()).url }),
  );

  describe('image registry over a network', () => {
    const MIB = 1024 * 1024;

    test('an upload that breaks in the middle of a chunk comes to its end', async (t) => {
      const registry = await start();
      const line = await breakingLine(t, registry.port, { toServer: 9 * MIB });
      const bytes = randomBytes(20 * MIB);
      const through = ociRegistry({ url: line.url, chunkBytes: 4 * MIB });
      const sent = await through.putBlob('a/b', blob(bytes));
      assert.equal(line.cuts(), 1);
      // This registry loses count then and the upload is begun again: what was sent twice is counted twice.
      assert.deepEqual(sent, { how: 'uploaded', bytesMoved: 28 * MIB });
      assert.ok((await bytesOf(ociRegistry({ url: registry.url }).readBlob('a/b', blob(bytes)))).equals(bytes));
    });

    test('a process that dies leaves an upload that the next one goes on with', async () => {
      const registry = await start();
      const memory = join(folder, 'uploads');
      const bytes = randomBytes(10 * MIB);
      const source = blob(bytes);
      const dies = { ...source, open: (fromByte: number) => stopsAfter(source.open(fromByte), 6 * MIB) };
      const options = { url: registry.url, chunkBytes: 2 * MIB };
      await assert.rejects(ociRegistry({ ...options, uploads: fileUploadMemory(memory) }).putBlob('a/b', dies), /power went off/);
      assert.equal(readdirSync(memory).length, 1);
      const second = await ociRegistry({ ...options, uploads: fileUploadMemory(memory) }).putBlob('a/b', source);
      assert.deepEqual(second, { how: 'uploaded', bytesMoved: 4 * MIB });
      assert.equal(readdirSync(memory).length, 0);
      assert.ok((await bytesOf(ociRegistry(options).readBlob('a/b', source))).equals(bytes));
    });

    test('a read that breaks goes on at its byte, and the whole is still checked', async (t) => {
      const registry = await start();
      const bytes = randomBytes(12 * MIB);
      await ociRegistry({ url: registry.url }).putBlob('a/b', blob(bytes));
      const line = await breakingLine(t, registry.port, { fromServer: 5 * MIB });
      assert.ok((await bytesOf(ociRegistry({ url: line.url }).readBlob('a/b', blob(bytes)))).equals(bytes));
      assert.equal(line.cuts(), 1);
    });

    test('a byte that changed on the disk of the registry is caught by the reader', async () => {
      const registry = await start();
      const bytes = randomBytes(100_000);
      const source = blob(bytes);
      await ociRegistry({ url: registry.url }).putBlob('a/b', source);
      const hex = source.digest.slice('sha256:'.length);
      const broken = Buffer.from(bytes);
      broken[50_000] = (broken[50_000] ?? 0) ^ 1;
      writeFileSync(join(registry.folder, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data'), broken);
      await assert.rejects(
        bytesOf(ociRegistry({ url: registry.url }).readBlob('a/b', source)),
        (error) => error instanceof KashiError && error.code === 'store_corrupt',
      );
    });

    test('a registry that is gone is transient, an address off this machine without TLS is a mistake', async () => {
      const registry = await start();
      await registry.stop();
      await assert.rejects(ociRegistry({ url: registry.url }).blobBytes('a/b', blob(randomBytes(1)).digest), TransientStoreError);
      assert.throws(() => ociRegistry({ url: 'http://registry.example.com' }), KashiError);
    });

    test('basic credentials open a registry that wants them, wrong ones do not', async () => {
      const htpasswd = join(folder, 'htpasswd');
      // bcrypt of "edge-secret".
      writeFileSync(htpasswd, 'edge:$2a$05$kLB5lOa/g63j.1rLiEO38.7KY5wGFOH9mqOs.giq1nslAun6sxTry\n');
      const registry = await start(htpasswd);
      const source = blob(randomBytes(1_000));
      const asked = (password: string) =>
        ociRegistry({ url: registry.url, credentials: { user: 'edge', password } }).putBlob('a/b', source);
      await assert.rejects(asked('wrong'), (error) => error instanceof KashiError && error.code === 'config_invalid');
      await assert.rejects(ociRegistry({ url: registry.url }).putBlob('a/b', source), KashiError);
      assert.equal((await asked('edge-secret')).how, 'uploaded');
    });
  });
}

async function* stopsAfter(bytes: AsyncIterable<Uint8Array>, limit: number): AsyncIterable<Uint8Array> {
  let given = 0;
  for await (const piece of bytes) {
    if (given + piece.length > limit) {
      yield piece.subarray(0, limit - given);
      throw new Error('the power went off');
    }
    given += piece.length;
    yield piece;
  }
}
