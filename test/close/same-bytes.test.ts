/** The same rows in other files, in another order, on other threads: the same bill, byte for byte. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { landedObjects, openEngineAt } from '../../functions/cli/wiring.ts';
import { verifyMonth } from '../../functions/close/verify.ts';
import { close, generated, PERIOD, removeGenerated, splitAnew } from './generated.ts';

after(removeGenerated);

/** Whole bills would hide what differs. */
function linesOnlyIn(here: string, there: string): { here: string[]; there: string[] } {
  const lines = (text: string): string[] => text.split(/(?<=\}),/);
  return {
    here: lines(here).filter((line) => !lines(there).includes(line)),
    there: lines(there).filter((line) => !lines(here).includes(line)),
  };
}

test('split, reversed, sent twice and ingested in five rounds, a month closes to the same SHA-256', async () => {
  const whole = await generated();
  await ingestInto(whole, [...landedObjects([whole.landingDirectory], whole)], {}, true);
  const one = await close(whole);

  const anew = await generated();
  splitAnew(anew.landingDirectory);
  const objects = [...landedObjects([anew.landingDirectory], anew)].reverse();
  for (let round = 0; round < 5; round += 1) {
    const own = objects.filter((_, index) => index % 5 === round);
    // The first of each round comes again under the next.
    await ingestInto(anew, [...own, ...own.slice(0, 1)], {}, true);
  }
  const other = await close(anew);
  assert.deepEqual(linesOnlyIn(other.bill, one.bill), { here: [], there: [] });
  assert.equal(other.sha256, one.sha256);
  assert.notEqual(other.evidence, one.evidence, 'how the rows came in is in the evidence');

  for (const word of ['part-', 'jsonl', 'litellm/', 'object', 'attempt', 'snapshot'])
    assert.equal(one.bill.includes(word), false, `the bill does not say ${word}`);

  for (const manner of [{ threads: 1 }, { threads: 3, reversed: true }]) {
    const report = await verifyMonth(anew.store, PERIOD, null, (files, prelude) => openEngineAt(anew, files, { ...manner, prelude }));
    assert.deepEqual([report.problem, report.recomputed_sha256], [null, one.sha256]);
  }
});
