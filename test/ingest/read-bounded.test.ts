/** Decompression: nothing cut, broken, padded or bombed ever passes for the whole. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { constants, createGzip, gzipSync, zstdCompressSync } from 'node:zlib';
import { DEFAULT_LIMITS } from '../../functions/ingest/limits.ts';
import { compressionOf, readBounded } from '../../functions/ingest/read-bounded.ts';
import { bytesOf, inChunks, unpackedOrFault } from './support.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const TEXT = bytesOf(`${Array.from({ length: 120 }, (_, n) => `{"n":${n},"id":"${(n * 7919).toString(36)}"}`).join('\n')}\n`);
const MORE = bytesOf('{"n":"second"}\n');
const NOISE = bytesOf(randomBytes(2000).toString('hex'));
const CHUNKS = [1, 500, 1 << 20];
const FEW_CHUNKS = [7, 1 << 20];
const BROKEN = 'decompression_failed';

/** The same answer however the raw bytes come. */
async function unpacked(bytes: Uint8Array, chunks = CHUNKS): Promise<Buffer | string> {
  const answers = await Promise.all(chunks.map((size) => unpackedOrFault(bytes, size)));
  for (const answer of answers) assert.deepEqual(answer, answers[0], 'chunk borders change nothing');
  return answers[0]!;
}

async function gives(bytes: Uint8Array, expected: Uint8Array): Promise<void> {
  assert.deepEqual(Buffer.from((await unpacked(bytes)) as Buffer), Buffer.from(expected));
}

const FORMATS = [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const;

for (const [name, compress] of FORMATS) {
  describe(name, () => {
    const good = compress(TEXT);

    it('gives back what was packed, by content and not by name', async () => {
      assert.equal(compressionOf(good), name);
      await gives(good, TEXT);
      await gives(compress(NOISE), NOISE);
      await gives(compress(new Uint8Array(0)), new Uint8Array(0));
    });
    it('cut at every byte it is broken', async () => {
      const large = compress(Buffer.concat([TEXT, NOISE]));
      assert.ok(large.length > 2000, `${large.length} bytes`);
      for (let cut = 4; cut < large.length; cut++) assert.equal(await unpackedOrFault(large.subarray(0, cut)), BROKEN, `cut at ${cut}`);
    });
    it('several members are one content', async () => {
      await gives(Buffer.concat([good, compress(MORE)]), Buffer.concat([TEXT, MORE]));
      await gives(Buffer.concat([good, compress(new Uint8Array(0)), compress(MORE), good]), Buffer.concat([TEXT, MORE, TEXT]));
      const members = Array.from({ length: 300 }, (_, n) => bytesOf(`line ${n}\n`));
      await gives(Buffer.concat(members.map((member) => compress(member))), Buffer.concat(members));
    });
    it('a cut second member is broken', async () => {
      const second = compress(MORE);
      for (let cut = 1; cut < second.length; cut++)
        assert.equal(await unpacked(Buffer.concat([good, second.subarray(0, cut)]), FEW_CHUNKS), BROKEN, `cut at ${cut}`);
    });
    it('trailing garbage is broken', async () => {
      for (const garbage of ['g', 'garbage', '\n', '{"a":1}\n'])
        assert.equal(await unpacked(Buffer.concat([good, bytesOf(garbage)])), BROKEN, garbage);
    });
    it('a changed byte is broken or changes nothing, and never throws anything else', async () => {
      const checked = name === 'gzip' ? good : zstdCompressSync(TEXT, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
      for (let at = 4; at < checked.length; at += 3) {
        const changed = Buffer.from(checked);
        changed[at] = changed[at]! ^ 0x10;
        const answer = await unpackedOrFault(changed);
        if (answer !== BROKEN) assert.deepEqual(answer, Buffer.from(TEXT), `byte ${at}`);
      }
    });
    it('compressed bytes inside are refused, not unfolded', async () => {
      for (const [, inner] of FORMATS) assert.equal(await unpacked(compress(inner(TEXT))), 'nested_compression');
    });
    it('more than the limit is refused', async () => {
      const limits = { ...DEFAULT_LIMITS, objectBytes: TEXT.length };
      assert.ok((await unpackedOrFault(good, 1000, limits)) instanceof Buffer);
      assert.equal(await unpackedOrFault(good, 1000, { ...limits, objectBytes: TEXT.length - 1 }), 'object_too_large');
    });
  });
}

describe('gzip alone', () => {
  const good = gzipSync(TEXT);

  it('zeros behind a member are padding', async () => {
    for (const zeros of [1, 3, 512, 9000]) await gives(Buffer.concat([good, Buffer.alloc(zeros)]), TEXT);
  });
  it('a member behind padding counts', async () =>
    await gives(Buffer.concat([good, Buffer.alloc(512), gzipSync(MORE)]), Buffer.concat([TEXT, MORE])));
  it('garbage behind padding is broken', async () =>
    assert.equal(await unpacked(Buffer.concat([good, Buffer.alloc(512), bytesOf('garbage')])), BROKEN));
  it('a wrong checksum or length is broken', async () => {
    for (let back = 1; back <= 8; back++) {
      const changed = Buffer.from(good);
      changed[changed.length - back] = changed[changed.length - back]! ^ 1;
      assert.equal(await unpacked(changed), BROKEN, `byte −${back}`);
    }
  });
  it('cut at a flush point, where the rows so far look whole, it is broken', async () => {
    const gzip = createGzip();
    const chunks: Buffer[] = [];
    gzip.on('data', (chunk: Buffer) => chunks.push(chunk));
    await new Promise<void>((resolve) => gzip.write(TEXT, () => gzip.flush(constants.Z_FULL_FLUSH, () => resolve())));
    const flushed = Buffer.concat(chunks);
    gzip.destroy();
    assert.equal(await unpacked(flushed), BROKEN);
  });
});

describe('zstd alone', () => {
  it('a skippable frame carries nothing', async () => {
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
    await gives(Buffer.concat([skippable, zstdCompressSync(TEXT), skippable, zstdCompressSync(MORE)]), Buffer.concat([TEXT, MORE]));
  });
  it('zeros behind a frame are broken', async () =>
    assert.equal(await unpacked(Buffer.concat([zstdCompressSync(TEXT), Buffer.alloc(9)])), BROKEN));
});

describe('no compression', () => {
  it('passes bytes on', async () => {
    for (const bytes of [TEXT, new Uint8Array(0), bytesOf('x'), Buffer.from([0x1f]), Buffer.from([0x28, 0xb5, 0x2f])])
      await gives(bytes, bytes);
  });
  it('more than the limit is refused', async () =>
    assert.equal(await unpackedOrFault(TEXT, 100, { ...DEFAULT_LIMITS, objectBytes: TEXT.length - 1 }), 'object_too_large'));
  it('an error of the object passes through', async () => {
    for (const bytes of [TEXT, gzipSync(NOISE)]) {
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield* inChunks(bytes.subarray(0, 500), 100);
        throw new Error('disk');
      }
      const drained = async (): Promise<void> => {
        for await (const _ of readBounded(failing(), DEFAULT_LIMITS));
      };
      await assert.rejects(drained, /^Error: disk$/);
    }
  });
  it('an object that is left early is closed', async () => {
    for (const bytes of [TEXT, gzipSync(NOISE), zstdCompressSync(NOISE)]) {
      let closed = false;
      async function* watched(): AsyncGenerator<Uint8Array> {
        try {
          for (;;) yield bytes;
        } finally {
          closed = true;
        }
      }
      for await (const _ of readBounded(watched(), DEFAULT_LIMITS)) break;
      assert.equal(closed, true);
    }
  });
  it('a file that is left early leaves no open descriptor', async () => {
    const path = fileURLToPath(import.meta.url);
    const stream = createReadStream(path, { highWaterMark: 100 });
    for await (const _ of readBounded(stream, DEFAULT_LIMITS)) break;
    assert.equal(stream.destroyed, true);
  });
});

describe('bombs, in a process of their own', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kashi-bomb-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function burst(name: string, content: Uint8Array, ratio?: number): { reason: string; bytes: number; grownBytes: number } {
    const path = join(folder, name);
    writeFileSync(path, content);
    return JSON.parse(
      execFileSync(process.execPath, [join(HERE, 'bomb.ts'), path, ...(ratio === undefined ? [] : [String(ratio)])], { encoding: 'utf8' }),
    ) as ReturnType<typeof burst>;
  }
  const zeros = new Uint8Array(100 * 1024 ** 2);

  for (const [name, compress] of FORMATS) {
    it(`1,000:1 in ${name} stops early and flat`, () => {
      const bomb = compress(zeros);
      assert.ok(zeros.length / bomb.length > 900);
      const { reason, bytes, grownBytes } = burst(`bomb.${name}`, bomb);
      assert.equal(reason, 'ratio_exceeded');
      assert.ok(bytes < 32 * 1024 ** 2, `${bytes} bytes came out`);
      assert.ok(grownBytes < 64 * 1024 ** 2, `memory grew by ${grownBytes}`);
    });
  }
  it('a chain of members does not start the count anew', () => {
    const { reason, bytes } = burst('chain.gz', Buffer.concat(Array.from({ length: 200 }, () => gzipSync(new Uint8Array(1_000_000)))));
    assert.equal(reason, 'ratio_exceeded');
    assert.ok(bytes < 8 * 1024 ** 2, `${bytes} bytes came out`);
  });
  it('100 MiB that may be read are read flat', () => {
    const { reason, bytes, grownBytes } = burst('large.gz', gzipSync(zeros), 5000);
    assert.deepEqual({ reason, bytes }, { reason: 'none', bytes: zeros.length });
    assert.ok(grownBytes < 64 * 1024 ** 2, `memory grew by ${grownBytes}`);
  });
});
