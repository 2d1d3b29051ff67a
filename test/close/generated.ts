/** Generated centres whose month is closed: eight real formats, many files. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { closeCentre } from '../../functions/cli/close.ts';
import { waiveAll } from '../../functions/cli/waive.ts';
import { type Centre, openCentre, openFileSink } from '../../functions/cli/wiring.ts';
import { generateCentre } from '../../functions/generate/generate.ts';
import { presetOptions } from '../../functions/generate/options.ts';

export const PERIOD = '2026-10';
const folders: string[] = [];

/** Removes every centre that was generated. */
export function removeGenerated(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Eight real formats, with duplicates, poisoned rows, unrated usage, a price change, HFU and MFU from samples. */
export async function generated(): Promise<Centre> {
  const directory = mkdtempSync(join(tmpdir(), 'kashi-same-'));
  folders.push(directory);
  await generateCentre(presetOptions('demo'), openFileSink(directory), { update: () => {}, finish: () => {} });
  return { ...openCentre({ config: join(directory, 'kashi.yaml') }), clock: { now: () => Date.parse('2027-01-01T00:00:00Z') } };
}

export async function close(centre: Centre): Promise<{ sha256: string; bill: string; evidence: string }> {
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
export function splitAnew(landing: string): void {
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
