#!/usr/bin/env node
/**
 * What it costs to start: commands beside bare Node (`node -e 0`) and a bare start of the engine, taking turns. CPU seconds, because they hold on a busy
 * machine; walls are printed too. node bench/startup.ts [rounds]. Needs nothing but npm; makes a demo in the temporary directory.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileSink } from '../functions/cli/wiring.ts';
import { generateCentre } from '../functions/generate/generate.ts';
import { presetOptions } from '../functions/generate/options.ts';
import { median, runMeasured, type Taken } from './measure.ts';

const ROOT = join(import.meta.dirname, '..');
const LAUNCH = join(ROOT, 'functions', 'cli', 'launch.js');
const ENGINE = join(import.meta.dirname, 'startup-engine.ts');
const rounds = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(tmpdir(), 'kashi-startup-'));

try {
  const demo = spawnSync(process.execPath, [LAUNCH, 'demo', join(folder, 'demo')], { encoding: 'utf8' });
  if (demo.status !== 0) throw new Error(demo.stderr);
  const config = ['--config', join(folder, 'demo', 'kashi.yaml')];
  const report = await runMeasured([LAUNCH, 'status', ...config, '--json'], folder);
  const { period_states } = JSON.parse(report.stdout) as { period_states: { period: string; state: string }[] };
  const closed = period_states.find(({ state }) => state === 'closed')?.period ?? '';
  const bill = await runMeasured([LAUNCH, 'bill', closed, ...config, '--json'], folder);
  const { bills } = JSON.parse(bill.stdout) as { bills: { lines: { line_id: string }[] }[] };
  const line = bills[0]?.lines[0]?.line_id ?? '';
  // A centre of the same size in which nothing is left to be asked: its rows are rated, and every check holds.
  const open = ['--config', join(folder, 'open', 'kashi.yaml')];
  const options = { ...presetOptions('demo'), unresolved: false, badPerMillion: 0 };
  await generateCentre(options, openFileSink(join(folder, 'open')), { update() {}, finish() {} });
  await runMeasured([LAUNCH, 'ingest', join(folder, 'open', 'landing'), ...open], folder);
  const sides: readonly (readonly [string, readonly string[]])[] = [
    ['node -e 0', ['-e', '0']],
    ['engine: select 1', [ENGINE]],
    ['kashi --help', [LAUNCH, '--help']],
    ['kashi bill --help', [LAUNCH, 'bill', '--help']],
    ['kashi status (demo)', [LAUNCH, 'status', ...config]],
    ['kashi bill (demo, closed)', [LAUNCH, 'bill', closed, ...config]],
    ['kashi bill (demo, rated)', [LAUNCH, 'bill', options.period, ...open]],
    ['kashi explain (demo)', [LAUNCH, 'explain', line, ...config]],
  ];
  const taken = new Map<string, Taken[]>(sides.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const [name, args] of sides) taken.get(name)?.push((await runMeasured(args, folder)).taken);
  print(taken);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function print(taken: ReadonlyMap<string, readonly Taken[]>): void {
  const middle = (name: string, member: keyof Taken): number => median((taken.get(name) ?? []).map((one) => one[member]));
  const [bare, engine] = [middle('node -e 0', 'cpuS'), middle('engine: select 1', 'cpuS')];
  console.log(`${rounds} rounds, medians\n| | CPU ms | ÷ node | ÷ engine | wall ms | peak MB |\n|---|---:|---:|---:|---:|---:|`);
  for (const name of taken.keys()) {
    const [cpuS, wallS, peak] = [middle(name, 'cpuS'), middle(name, 'wallS'), middle(name, 'peakBytes')];
    const cells = [cpuS * 1000, cpuS / bare, cpuS / engine, wallS * 1000, peak / 1e6];
    console.log(`| ${name} | ${cells.map((cell, place) => cell.toFixed(place === 1 || place === 2 ? 1 : 0)).join(' | ')} |`);
  }
}
