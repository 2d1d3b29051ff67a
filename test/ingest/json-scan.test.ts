import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compiledBefore, compileScan } from '../support/compile-scan.ts';

test('the compiled scanner is what its source makes; if not: npm run compile-scan', async () => {
  assert.equal(compiledBefore(), await compileScan());
});
