/** The same rows in other files, in another order, on other threads: the same bill, byte for byte. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { closeCentre } from '../../functions/cli/close.ts';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { waiveAll } from '../../functions/cli/waive.ts';
import { type Centre, landedObjects, openCentre, openEngineAt, openFileSink } from '../../functions/cli/wiring.ts';
import { verifyMonth } from '../../functions/close/verify.ts';
import { generateCentre } from '../../functions/generate/generate.ts';
import { presetOptions } from '../../functions/generate/options.ts';

const PERIOD = '2026-10';
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Eight real formats, with duplicates, poisoned rows, unrated usage, a price change, HFU and MFU from samples. */
async function generated(): Promise<Centre> {
  const directory = mkdtempSync(join(tmpdir(), 'kashi-same-'));
  folders.push(directory);
  await generateCentre(presetOptions('demo'), openFileSink(directory), { update: () => {}, finish: () => {} });
  return { ...openCentre({ config: join(directory, 'kashi.yaml') }), clock: { now: () => Date.parse('2027-01-01T00:00:00Z') } };
}

async function close(centre: Centre): Promise<{ sha256: string; bill: string; evidence: string }> {
  const refused = await closeCentre(centre, PERIOD, true);
  assert.equal(refused.state, 'refused', 'unrated usage is planted');
  const what = refused.state === 'refused' ? refused.hindrances.map(({ subject }) => subject) : [];
  await waiveAll(centre, PERIOD, what, { by: 'Li Wei', reason: 'planted' });
  const closed = await closeCentre(centre, PERIOD, true);
  assert.ok(closed.state === 'closed', JSON.stringify(closed));
  const { bill, evidence } = closed.signed.value;
  return { sha256: bill, bill: Buffer.from((await centre.store.get(`objects/${bill}`)) ?? []).toString('utf8'), evidence };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Sources whose lines are records of their own; the others are documents or scrapes, which nobody splits. */
const BY_LINE = /\/(litellm|openai-usage|otel-genai|kubernetes-pods)\//;

/** Each file's records in three files with other names, in reverse order, as uncompressed text; the instant of landing is kept. */
function splitAnew(landing: string): void {
  let split = 0;
  for (const file of filesBelow(landing).filter((path) => BY_LINE.test(path))) {
    const raw = readFileSync(file);
    // Byte by byte: some planted rows are no UTF-8.
    const text = (raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw) : raw).toString('latin1');
    const lines = text.split('\n').filter((line) => line !== '');
    const { mtime } = statSync(file);
    rmSync(file);
    for (const part of [0, 1, 2]) {
      const own = lines.filter((_, index) => index % 3 === part).reverse();
      if (own.length === 0) continue;
      const path = join(dirname(file), `part-${part}-of-${basename(file).replace(/\.gz$/, '')}`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `${own.join('\n')}\n`, 'latin1');
      utimesSync(path, mtime, mtime);
      split += 1;
    }
  }
  assert.ok(split > 30, `${split} files`);
}

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
