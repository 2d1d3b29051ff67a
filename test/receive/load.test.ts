/** A collector's load in small; `load.ts` runs it in any size. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runLoad } from './load.ts';

test('120 requests of 400 series, every tenth pair twice, over both protocols: every reading once', async () => {
  const { accepted, readings } = await runLoad(120, 400);
  assert.deepEqual([accepted, readings], [144, 48_000]);
});
