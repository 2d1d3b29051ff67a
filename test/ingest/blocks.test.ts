/** Blocks put together again are the object, cut at line ends only; threads that share them read what one would. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BLOCK_BYTES, type Block, BlockCutter, countNewlines } from '../../functions/ingest/blocks.ts';
import { testCentre } from '../support/centre.ts';

function cut(bytes: Uint8Array, chunkBytes: number, maxLineBytes = 8 * BLOCK_BYTES): Block[] {
  const cutter = new BlockCutter(maxLineBytes);
  const blocks: Block[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) blocks.push(...cutter.push(bytes.subarray(at, at + chunkBytes)));
  blocks.push(...cutter.end());
  return blocks;
}

describe('blocks', () => {
  test('any lines in any chunks: nothing added, nothing lost, every line whole, numbers and offsets true', () => {
    const lines = fc.array(fc.nat(BLOCK_BYTES / 2), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(lines, fc.integer({ min: 100_000, max: 3 * BLOCK_BYTES }), fc.boolean(), (lengths, chunkBytes, lastEnds) => {
        const text =
          lengths.map((length, index) => String.fromCharCode(97 + (index % 26)).repeat(length)).join('\n') + (lastEnds ? '\n' : '');
        const bytes = Buffer.from(text);
        const blocks = cut(bytes, chunkBytes);
        assert.equal(Buffer.compare(Buffer.concat(blocks.map((block) => block.bytes)), bytes), 0);
        let line = 1;
        let offset = 0;
        for (const [index, block] of blocks.entries()) {
          assert.deepEqual([block.line, block.byteStart, block.tooLongUntil], [line, offset, null]);
          if (index < blocks.length - 1) assert.equal(block.bytes.at(-1), 10);
          line += countNewlines(block.bytes);
          offset += block.bytes.length;
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a line beyond the limit is one block without bytes, and reading goes on behind it', () => {
    const bytes = Buffer.concat([Buffer.from('first\n'), Buffer.alloc(5 * BLOCK_BYTES, 120), Buffer.from('\nlast\n')]);
    const blocks = cut(bytes, 65_536, BLOCK_BYTES);
    const long = blocks.find(({ tooLongUntil }) => tooLongUntil !== null);
    assert.deepEqual([long?.line, long?.byteStart, long?.tooLongUntil], [2, 6, 6 + 5 * BLOCK_BYTES]);
    const last = blocks.at(-1);
    assert.deepEqual([last?.line, last?.byteStart, Buffer.from(last?.bytes ?? []).toString()], [3, 7 + 5 * BLOCK_BYTES, 'last\n']);
  });

  test('a line at the limit is kept', () => {
    const bytes = Buffer.concat([Buffer.alloc(2 * BLOCK_BYTES, 120), Buffer.from('\nlast')]);
    const blocks = cut(bytes, 65_536, 2 * BLOCK_BYTES);
    assert.ok(blocks.every(({ tooLongUntil }) => tooLongUntil === null));
    assert.equal(
      blocks.reduce((sum, { bytes: own }) => sum + own.length, 0),
      bytes.length,
    );
  });
});

/** One LiteLLM record of about a kilobyte; every hundredth line is bad in one of several ways. */
function logLine(index: number): string {
  const bad = [
    '{"id":',
    '{"startTime":1,"startTime":2,"call_type":"x"}',
    `{"call_type":"acompletion","startTime":1790784000.5,"litellm_call_id":"b${index}","model":"m","prompt_tokens":-1,"completion_tokens":1}`,
    '',
  ];
  if (index % 100 === 99) return bad[Math.floor(index / 100) % bad.length] ?? '';
  const usage = { prompt_tokens: index % 5000, completion_tokens: index % 700, total_tokens: (index % 5000) + (index % 700) };
  return JSON.stringify({
    id: `i${index}`,
    litellm_call_id: `c${index}`,
    call_type: 'acompletion',
    status: 'success',
    startTime: 1790784000 + index,
    model: `m${index % 3}`,
    ...usage,
    metadata: { user_api_key_team_id: `t${index % 7}` },
    messages: [{ role: 'user', content: 'é'.repeat(300) }],
  });
}

test('an object shared by threads gives the rows, refusals and line numbers of one thread', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-blocks-'));
  const count = 40_000;
  const small = join(folder, 'small.jsonl');
  const large = join(folder, 'large.jsonl');
  const half = Array.from({ length: count }, (_, index) => logLine(index));
  // Below the size that is worth threads, and above it: the same lines, then more of them.
  writeFileSync(small, `${half.slice(0, count / 2).join('\n')}\n`);
  writeFileSync(large, `${half.join('\n')}\n`);
  const answers = await Promise.all(
    [small, large].map(async (file) => {
      const { ingest, session, remove } = testCentre(null);
      try {
        const { total } = await ingest([file], { source: 'litellm' });
        assert.equal(total.residual, 0);
        const rows = await session(null, async ({ warehouse }) => [
          (await warehouse.query(`select * exclude (object_id, fold_order) from raw_token_usage where line <= ${count / 2} order by line`))
            .rows,
          (
            await warehouse.query(
              `select line, reason, field, found, byte_start, byte_end from raw_quarantine where line <= ${count / 2} order by line`,
            )
          ).rows,
        ]);
        return { total, rows };
      } finally {
        remove();
      }
    }),
  );
  rmSync(folder, { recursive: true });
  assert.deepEqual(answers[1]?.rows, answers[0]?.rows);
  assert.equal(answers[0]?.rows[0]?.length, (count / 2) * 0.99);
  assert.deepEqual([answers[1]?.total.physical, answers[1]?.total.valid], [count, count * 0.99]);
});
