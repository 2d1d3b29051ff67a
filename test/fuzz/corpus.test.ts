/** Every input that ever broke a rule, again: through memory, the disk and the engine. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkCase } from './check-case.ts';
import { type ParquetIngest, parquetIngest } from './ingested.ts';
import { TARGET_NAMES, targetNamed } from './samples.ts';
import { sampleOf, storedCases } from './stored-case.ts';

let folder = '';
let parquet: ParquetIngest;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kashi-corpus-'));
  parquet = await parquetIngest(folder);
});
after(async () => {
  await parquet.close();
  rmSync(folder, { recursive: true, force: true });
});

for (const { situation, sample, bytes } of storedCases())
  test(situation, async () => assert.ok((await checkCase(sampleOf(sample), bytes, parquet)).size > 0));

for (const target of TARGET_NAMES.map(targetNamed)) {
  test(`${target.name}: the fixtures themselves keep every rule`, async () => {
    for (const sample of target.samples) await checkCase(sample, sample.bytes, parquet);
  });
}
