/** Byte ranges of lines: what they point at is the line, in the bytes that were committed and in no others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DEFAULT_LIMITS } from '../../functions/ingest/limits.ts';
import { type ByteRange, locateLines } from '../../functions/ingest/locate.ts';
import { contentId } from '../../functions/ledger/commit.ts';
import type { LandedObject } from '../../functions/ports.ts';
import type { Source } from '../../functions/sources/source.ts';

function landed(bytes: Uint8Array): LandedObject {
  return {
    name: 'object',
    bytes: bytes.length,
    lastModifiedMs: 0,
    open: async function* () {
      // Cut in odd places: where chunks end must not matter.
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    },
  };
}

function idOf(bytes: Uint8Array): string {
  const hasher = contentId('test');
  hasher.update(bytes);
  return hasher.digest();
}

async function located(
  raw: Uint8Array,
  framing: Source['framing'],
  lines: readonly number[],
  committed = raw,
): Promise<ReadonlyMap<number, ByteRange> | null> {
  const source = framing === 'csv' ? { framing, delimiter: ',' } : { framing };
  return await locateLines(landed(raw), { source: 'test', contentId: idOf(committed) }, source, new Set(lines), DEFAULT_LIMITS);
}

function shown(text: string, ranges: ReadonlyMap<number, ByteRange> | null): Record<string, string> {
  return Object.fromEntries([...(ranges ?? [])].map(([line, { start, end }]) => [line, Buffer.from(text).subarray(start, end).toString()]));
}

const JSONL = '{"a":1}\n\n{"b":"卡时"}\r\n{"c":3}';

test('lines of JSON, plain and compressed', async () => {
  const wanted = { 1: '{"a":1}', 3: '{"b":"卡时"}', 4: '{"c":3}' };
  assert.deepEqual(shown(JSONL, await located(Buffer.from(JSONL), 'json', [1, 3, 4])), wanted);
  assert.deepEqual(shown(JSONL, await located(gzipSync(JSONL), 'json', [1, 3, 4])), wanted);
});

test('a quoted CSV record over two lines', async () => {
  const text = 'id,note\n1,"two\nlines"\n2,x\n';
  assert.deepEqual(shown(text, await located(Buffer.from(text), 'csv', [2, 4])), { 2: '1,"two\nlines"', 4: '2,x' });
});

test('records of one document lie in the whole document', async () => {
  const text = '{\n "items": [{"a": 1},\n {"b": 2}]\n}\n';
  assert.deepEqual([...((await located(Buffer.from(text), 'json', [2])) ?? [])], [[2, { start: 0, end: text.length }]]);
});

test('other bytes than were committed have no ranges', async () => {
  const raw = Buffer.from(JSONL);
  assert.equal(await located(Buffer.concat([raw, Buffer.from('\n{"d":4}')]), 'json', [1], raw), null);
});

test('a line that is not there is not found', async () => {
  assert.deepEqual(shown(JSONL, await located(Buffer.from(JSONL), 'json', [9])), {});
});
