/**
 * How long a row takes from the landing folder into `kashi bill` while `kashi watch` runs with its default settings: `node test/watch/latency.ts`.
 * Exit code 1 when that is more than 90 s. No test: it waits for minutes of real time.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KASHI = join(import.meta.dirname, '../../functions/cli/kashi.ts');
const LIMIT_MS = 90_000;
const MAP = `fact: token_usage
format: csv
key: [request]
columns: {event_at: time, tenant_key: team, model: model, input_tokens: prompt, output_tokens: completion}
`;
const CONFIG = `centre: latency
time_zone: UTC
currency: CNY
landing: ./landing
warehouse: ./warehouse
tenants: {unmapped: as_is}
default_site: edge-1
sources: [{match: "**", site: edge-1, source: mapped, map: map.yaml}]
`;

const folder = mkdtempSync(join(tmpdir(), 'kashi-latency-'));
const land = (name: string, request: string): void => {
  writeFileSync(join(folder, name), `request,time,team,model,prompt,completion\n${request},2026-10-05T09:00:00Z,a,m,100,10\n`);
  cpSync(join(folder, name), join(folder, 'landing', name));
};
/** Unrated tokens of the bill: without a price each row is named there. */
const billed = (): string => {
  const ran = spawnSync(process.execPath, [KASHI, 'bill', '2026-10', '--json', '--config', join(folder, 'kashi.yaml')], {
    encoding: 'utf8',
  });
  return JSON.stringify((JSON.parse(ran.stdout) as { unrated?: unknown }).unrated ?? null);
};

mkdirSync(join(folder, 'landing'));
writeFileSync(join(folder, 'map.yaml'), MAP);
writeFileSync(join(folder, 'kashi.yaml'), CONFIG);
land('first.csv', 'r-1');
const watch = spawn(process.execPath, [KASHI, 'watch', '--config', join(folder, 'kashi.yaml')], { stdio: 'inherit' });
try {
  let before = billed();
  while (before === 'null' || before === '[]') before = billed();
  land('second.csv', 'r-2');
  const landedAt = performance.now();
  while (billed() === before && performance.now() - landedAt < 2 * LIMIT_MS) await new Promise((done) => setTimeout(done, 500));
  const took = performance.now() - landedAt;
  console.log(`a row was in the bill ${(took / 1000).toFixed(1)} s after it landed`);
  process.exitCode = took > LIMIT_MS ? 1 : 0;
} finally {
  watch.kill();
  rmSync(folder, { recursive: true, force: true });
}
