#!/usr/bin/env node
/**
 * A provisional bill after 1 % new rows, beside the same bill from all rows, in one process: CPU seconds and their ratio, which is what counts.
 * Both must say the same, or the run ends. node bench/incremental.ts [requests] [accelerators] [days]. Needs nothing but npm; a generated centre in the
 * temporary directory.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { rate } from '../functions/cli/bill.ts';
import { ingestInto } from '../functions/cli/ingest.ts';
import { withRolledSession } from '../functions/cli/rolled-session.ts';
import { withSession } from '../functions/cli/session.ts';
import { statusData } from '../functions/cli/status-data.ts';
import { landedObjects, openCentre, openFileSink } from '../functions/cli/wiring.ts';
import { generateCentre } from '../functions/generate/generate.ts';
import { presetOptions } from '../functions/generate/options.ts';
import { newestSnapshot } from '../functions/ledger/snapshot.ts';

const PERIOD = '2026-10';
/** What is new is the last hundredth: of lines in a stream of requests, of the time in a node's samples. */
const NEW_SHARE = 0.01;
const BY_LINE = /\/(litellm|openai-usage|otel-genai)\//;

const [requests = 400_000, gpus = 64, days = 10] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), 'kashi-incremental-'));
try {
  await generateCentre({ ...presetOptions('small'), requests, gpus, days }, openFileSink(folder), { update() {}, finish() {} });
  const centre = openCentre({ config: join(folder, 'kashi.yaml') });
  const later = new Set(setAside(join(folder, 'landing')));
  const land = async (paths: readonly string[]): Promise<void> => {
    await ingestInto(centre, [...landedObjects(paths, centre)], {}, true);
  };
  await land(filesBelow(join(folder, 'landing')).filter((path) => !later.has(path)));

  const rows = await measured('from rows', async () => await withSession(centre, PERIOD, (session) => rate(session, PERIOD, null)));
  const first = await measured('from rollups, the first', async () => await rolled());
  assert.deepEqual(first.value, rows.value);
  await measured('from rollups, nothing new', async () => await rolled());
  await status('status, the first');
  await land([...later]);
  const after = await newestSnapshot(centre.store);
  console.log(
    `new: ${later.size} files; in all ${Object.entries(after?.datasets ?? {})
      .map(([name, one]) => `${one.rows} ${name}`)
      .join(', ')}`,
  );
  const all = await measured(
    'from rows, with the new ones',
    async () => await withSession(centre, PERIOD, (session) => rate(session, PERIOD, null)),
  );
  const added = await measured('from rollups, 1 % new', async () => await rolled());
  assert.deepEqual(added.value, all.value);
  await status('status, 1 % new');
  await status('status, nothing new');
  console.log(`ratio: ${((100 * added.cpuS) / all.cpuS).toFixed(1)} % of the CPU of the bill from rows`);

  async function rolled(): Promise<Awaited<ReturnType<typeof rate>>> {
    return await withRolledSession(centre, PERIOD, (session) => rate(session, PERIOD, null), { fromRows: 0 });
  }
  async function status(name: string): Promise<void> {
    const snapshot = await newestSnapshot(centre.store);
    assert.ok(snapshot !== null);
    await measured(name, async () => await statusData(centre, snapshot, { fromRows: 0 }));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measured<T>(name: string, act: () => Promise<T>): Promise<{ readonly value: T; readonly cpuS: number }> {
  const [before, started] = [process.cpuUsage(), performance.now()];
  const value = await act();
  const { user, system } = process.cpuUsage(before);
  const cpuS = (user + system) / 1e6;
  console.log(
    `${name.padEnd(30)} ${cpuS.toFixed(2).padStart(8)} s CPU ${((performance.now() - started) / 1000).toFixed(2).padStart(8)} s wall`,
  );
  return { value, cpuS };
}

function filesBelow(root: string): string[] {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name)).sort();
}

/** Cuts the last hundredth off each stream into files of its own, and gives their paths. */
function setAside(landing: string): string[] {
  const cut: string[] = [];
  const streams = Map.groupBy(
    filesBelow(landing).filter((path) => BY_LINE.test(path)),
    (path) => dirname(dirname(dirname(dirname(path)))),
  );
  for (const files of streams.values()) {
    const lines = linesOf(files.at(-1) ?? '');
    const keep = lines.length - Math.max(1, Math.round(files.length * lines.length * NEW_SHARE));
    cut.push(split(files.at(-1) ?? '', lines.slice(0, keep), lines.slice(keep)));
  }
  const nodes = Map.groupBy(filesBelow(join(landing, 'dcgm-text')), (path) => basename(path));
  const lastDay = new Map([...nodes].map(([name, files]) => [name, files.at(-1) ?? '']));
  const atMs = (line: string): number => Number(line.slice(line.lastIndexOf(' ') + 1));
  const ends = [...lastDay.values()].map((file) => atMs(linesOf(file).at(-1) ?? ''));
  const cutMs = Math.max(...ends) - NEW_SHARE * days * 86_400_000;
  for (const file of lastDay.values()) {
    const lines = linesOf(file);
    const heads = lines.filter((line) => line.startsWith('#'));
    const [old, fresh] = [false, true].map((isNew) => lines.filter((line) => !line.startsWith('#') && atMs(line) >= cutMs === isNew));
    if (fresh !== undefined && old !== undefined && fresh.length > 0) cut.push(split(file, [...heads, ...old], [...heads, ...fresh]));
  }
  const pods = filesBelow(join(landing, 'kubernetes-pods')).at(-1);
  return pods === undefined ? cut : [...cut, pods];
}

function linesOf(file: string): string[] {
  return gunzipSync(readFileSync(file)).toString('latin1').trimEnd().split('\n');
}

function split(file: string, kept: readonly string[], fresh: readonly string[]): string {
  const path = join(dirname(file), `later-${basename(file)}`);
  writeFileSync(file, gzipSync(Buffer.from(`${kept.join('\n')}\n`, 'latin1')));
  writeFileSync(path, gzipSync(Buffer.from(`${fresh.join('\n')}\n`, 'latin1')));
  return path;
}
